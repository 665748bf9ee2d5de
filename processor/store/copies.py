"""Copies messages into another session, in slices: jobs for `Database`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec
from msgspec import Struct, field

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
        after: the position of the last message that was copied.
        ids: the new ids of messages by their old ids.
        is_done: nothing is left to copy.
    """

    source: str
    target: str
    before: tuple[int, str] | None
    after: tuple[int, str] = (-1, "")
    ids: dict[str, str] = field(default_factory=dict)
    is_done: bool = False


def begin(db: sqlite3.Connection, source: str, target: str, message: str | None) -> Copy:
    """Return a copy of the visible messages of a session, up to a message if one is given.

    Raises:
        UnknownSession: the session does not exist.
        UnknownMessage: the session has no such message.
    """
    before = edits.visible_before(db, source)
    if message is not None:
        messages.info(db, source, message)
        place = messages.place(db, message)
        before = place if before is None else min(place, before)
    return Copy(source, target, before)


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
        "AND (created, id) > (?, ?) AND (created, id) < (?, ?) ORDER BY created, id",
        (copy.source, *copy.after, *before),
    )
    left, ids, after = SLICE_BYTES, dict(copy.ids), copy.after
    for message, parent, role, created, json in rows:
        if left <= 0:
            return Copy(copy.source, copy.target, copy.before, after, ids)
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
        left -= len(data) + _copy_parts(db, message, ids[message], copy.target, new_id)
        after = created, message
    return Copy(copy.source, copy.target, copy.before, after, ids, is_done=True)


def _copy_parts(
    db: sqlite3.Connection, message: str, copied: str, session: str, new_id: NewId
) -> int:
    """Copy the parts of a message; return how many bytes they have."""
    size = 0
    rows = db.execute("SELECT type, json FROM part WHERE message = ? ORDER BY id", (message,))
    for kind, json in rows.fetchall():
        part = new_id("prt")
        data = _changed(json, {"id": part, "sessionID": session, "messageID": copied})
        db.execute(
            "INSERT INTO part (id, message, type, json) VALUES (?, ?, ?, ?)",
            (part, copied, kind, data),
        )
        size += len(data)
    return size


def _changed(json: bytes, changes: dict[str, str]) -> bytes:
    return _encode({**msgspec.json.decode(json), **changes})
