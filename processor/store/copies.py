"""Copies messages into another session, in slices: jobs for `Database`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from processor.store import edits, messages, sessions

SLICE_BYTES = 2 * 1024 * 1024

NewId = Callable[[str], str]
"""Returns the next id with a prefix."""

_encode = msgspec.json.Encoder().encode


class Copy(Struct):
    """The progress of a copy.

    Attributes:
        source: the session that is copied.
        target: the session that gets the copies.
        before: the position of the first message that is not copied; None: all are.
        cut: the message at `before`, if its first parts are copied, and the first other part.
        after: the position of the last message that was copied.
        ids: the new ids of messages by their old ids.
        texts: what replaces texts in the JSON of tool calls.
        is_done: nothing is left to copy.
    """

    source: str
    target: str
    before: tuple[int, str] | None
    cut: tuple[str, str] = ("", "")
    after: tuple[int, str] = (-1, "")
    ids: dict[str, str] = field(default_factory=dict)
    texts: dict[bytes, bytes] = field(default_factory=dict)
    is_done: bool = False


def begin(db: sqlite3.Connection, source: str, target: str, message: str | None) -> Copy:
    """Return a copy of the visible messages of a session, up to a message if one is given.

    Raises:
        UnknownSession: the session does not exist.
        UnknownMessage: the session has no such message.
    """
    hidden = edits.hidden(db, source)
    before = None if hidden is None else hidden.place
    cut = ("", "") if hidden is None or not hidden.part else (hidden.place[1], hidden.part)
    if message is not None:
        messages.info(db, source, message)
        place = messages.place(db, message)
        if before is None or place <= before:
            before, cut = place, ("", "")
    return Copy(source, target, before, cut)


def go_on(db: sqlite3.Connection, copy: Copy, new_id: NewId) -> Copy:
    """Copy about `SLICE_BYTES`; return the progress after that.

    Open answers are left out: only their turns know their content.

    Raises:
        UnknownSession: the source has been removed.
    """
    sessions.check(db, copy.source)
    before = copy.before or (1 << 62, "")
    rows = db.execute(
        "SELECT id, parent, role, created, json FROM message WHERE session = ? AND NOT open "
        "AND (created, id) > (?, ?) AND ((created, id) < (?, ?) OR id = ?) "
        "ORDER BY created, id",
        (copy.source, *copy.after, *before, copy.cut[0]),
    )
    left, ids, after = SLICE_BYTES, dict(copy.ids), copy.after
    for message, parent, role, created, json in rows:
        if left <= 0:
            return replace(copy, after=after, ids=ids)
        ids[message] = new_id("msg")
        changes = {"id": ids[message], "sessionID": copy.target}
        if parent is not None:
            parent = changes["parentID"] = ids.get(parent, parent)
        data = _changed(json, changes)
        db.execute(
            "INSERT INTO message (id, session, parent, role, created, json, ended) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (ids[message], copy.target, parent, role, created, data, created),
        )
        left -= len(data) + _copy_parts(db, message, copy, ids, new_id)
        after = created, message
    return replace(copy, after=after, ids=ids, is_done=True)


def _copy_parts(
    db: sqlite3.Connection, message: str, copy: Copy, ids: dict[str, str], new_id: NewId
) -> int:
    """Copy the parts of a message; return how many bytes they have."""
    size = 0
    rows = db.execute("SELECT id, type, json FROM part WHERE message = ? ORDER BY id", (message,))
    for old, kind, json in rows.fetchall():
        if message == copy.cut[0] and old >= copy.cut[1]:
            break
        part = new_id("prt")
        changes = {"id": part, "sessionID": copy.target, "messageID": ids[message]}
        data = _changed(json, changes, ids if kind == "compaction" else {})
        for text, other in copy.texts.items() if kind == "tool" else ():
            data = data.replace(text, other)
        db.execute(
            "INSERT INTO part (id, message, type, json) VALUES (?, ?, ?, ?)",
            (part, ids[message], kind, data),
        )
        size += len(data)
    return size


def _changed(json: bytes, changes: dict[str, str], ids: dict[str, str] | None = None) -> bytes:
    """Return an entity with other values; `ids`: of the copies, for the id that it points to."""
    entity = {**msgspec.json.decode(json), **changes}
    if ids and (tail := entity.pop("tail_start_id", None)):
        # The message may have been removed: then the first message after it takes its place.
        found = ids.get(tail) or next((new for old, new in ids.items() if old > tail), None)
        entity |= {} if found is None else {"tail_start_id": found}
    return _encode(entity)
