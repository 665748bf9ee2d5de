"""Copies the messages of a session into another, in slices, so that other jobs run in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from processor.store import edits, messages, sessions

SLICE_BYTES = 2 * 1024 * 1024

NewId = Callable[[str], str]
"""Returns a new id that begins with the given prefix (`msg`, `prt`)."""

_encode = msgspec.json.Encoder().encode


class Copy(Struct):
    """The progress of a copy.

    Attributes:
        source: id of the session that is copied.
        target: id of the session that gets the copies.
        before: position (creation time, id) of the first message that is not copied; None: all
            messages are copied.
        cut: if only the first parts of the message at `before` are copied: the id of this message,
            and the id of its first part that is not copied.
        after: position of the last message that was copied.
        ids: the new ids of messages by their old ids.
        texts: replacements in the JSON of tool calls, by the text that is replaced.
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
    """Return the start of a copy: of all visible messages, or only those before `message`.

    Raises:
        UnknownSession: `source` does not exist.
        UnknownMessage: `source` has no such message.
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
    """Copy the next messages, about `SLICE_BYTES` of JSON; return the new progress.

    Answers that are still written are not copied: the store does not have their whole content.

    Raises:
        UnknownSession: the source was removed during the copy.
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
    """Copy the parts of a message; return the size of their JSON in bytes."""
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
    """Return the JSON of a message or part with `changes`; `ids` translates `tail_start_id`."""
    entity = {**msgspec.json.decode(json), **changes}
    if ids and (tail := entity.pop("tail_start_id", None)):
        # If the message that `tail_start_id` names was removed, the first later message replaces
        # that message.
        found = ids.get(tail) or next((new for old, new in ids.items() if old > tail), None)
        entity |= {} if found is None else {"tail_start_id": found}
    return _encode(entity)
