"""Jobs that `Database` runs when a person changes, removes or hides messages and parts.

A session's field `revert` names a message, and maybe one of its parts. This message (or its parts
from the named part on) and all later messages are hidden: clients do not show them, and the next
prompt removes them from the store.
"""

from __future__ import annotations

import sqlite3

from msgspec import UNSET, Struct

from bus.events.part import Part
from bus.events.session import Session
from processor.clock import not_before
from processor.store import messages, removals, sessions
from processor.store.messages import UnknownMessage
from processor.store.removals import Gone


class UnknownPart(UnknownMessage):
    """The message has no such part."""

    def __init__(self, part: str) -> None:
        Exception.__init__(self, f"Part not found: {part}")


class OtherType(Exception):
    """A new version of a part has another type than the stored part, which is not allowed.

    Attributes:
        kind: the type of the stored part.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def revert(db: sqlite3.Connection, session: str, message: str, part: str | None) -> Session:
    """Hide everything from a message, or from one of its parts, on; return the changed session.

    If no text and no tool call of the answer stays visible, the answer's prompt is hidden too.

    Raises:
        UnknownSession: the session does not exist.
        UnknownMessage: the session has no such message, or the message has no such part.
    """
    messages.info(db, session, message)
    if part is not None:
        _check_part(db, message, part)
        if not _is_of_use(db, message, part):
            part = None
    if part is None:
        message = _prompt_of(db, session, message)
    state = {"messageID": message} | ({} if part is None else {"partID": part})
    return sessions.update(db, session, lambda found: _set_revert(found, state))


def unrevert(db: sqlite3.Connection, session: str) -> Session:
    """Make the hidden messages of a session visible again; return the changed session.

    Raises:
        UnknownSession: the session does not exist.
    """
    found = sessions.get(db, session)
    if found.revert is UNSET:
        return found
    return sessions.update(db, session, lambda found: _set_revert(found, None))


def remove_hidden(db: sqlite3.Connection, session: str, now_ms: int) -> list[Gone]:
    """Remove the hidden messages and parts, and clear `revert`; return the removed entities.

    Raises:
        UnknownSession: the session does not exist.
    """
    state = sessions.get(db, session).revert
    if state is UNSET:
        return []
    message, part = state["messageID"], state.get("partID")
    gone = _from_message_on(db, session, message, part is None)
    if part is not None:
        rows = db.execute(
            "SELECT id FROM part WHERE message = ? AND id >= ? ORDER BY id", (message, part)
        )
        gone += [Gone(session, message, found) for (found,) in rows]
    _remove(db, gone, now_ms)
    sessions.update(db, session, lambda found: _set_revert(found, None))
    return gone


def remove(
    db: sqlite3.Connection, session: str, message: str, part: str | None, now_ms: int
) -> list[Gone]:
    """Remove a message, or only its part `part`; return the record of the removal.

    Raises:
        UnknownMessage: the session has no such message, or the message has no such part.
    """
    messages.info(db, session, message)
    if part is not None:
        _check_part(db, message, part)
    gone = [Gone(session, message, part)]
    _remove(db, gone, now_ms)
    return gone


def replace_part(db: sqlite3.Connection, part: Part) -> None:
    """Replace a stored part by a changed version.

    Raises:
        UnknownMessage: the session has no such message, or the message has no such part.
        OtherType: the stored part has another type.
    """
    messages.info(db, part.sessionID, part.messageID)
    kind = _check_part(db, part.messageID, part.id)
    if kind != part.__struct_config__.tag:
        raise OtherType(kind)
    messages.put_part(db, part)


class Hidden(Struct, frozen=True):
    """What a revert hides: all messages after a message, and this message or some of its parts.

    Attributes:
        place: the position (creation time in ms, id) of the message.
        part: id of the message's first hidden part; None if the whole message is hidden.
    """

    place: tuple[int, str]
    part: str | None


def hidden(db: sqlite3.Connection, session: str) -> Hidden | None:
    """Return which messages of a session `revert` hides; None if all messages are visible.

    Raises:
        UnknownSession: the session does not exist.
    """
    state = sessions.get(db, session).revert
    if state is UNSET:
        return None
    row = db.execute(
        "SELECT created, id FROM message WHERE id = ? AND session = ?",
        (state["messageID"], session),
    ).fetchone()
    return None if row is None else Hidden(row, state.get("partID"))


def _set_revert(session: Session, state: dict[str, str] | None) -> None:
    session.revert = UNSET if state is None else state
    session.time.updated = not_before(session.time.updated)


def _check_part(db: sqlite3.Connection, message: str, part: str) -> str:
    """Return the type of a part; raise `UnknownPart` if the message has no such part."""
    found = db.execute("SELECT type FROM part WHERE id = ? AND message = ?", (part, message))
    if (row := found.fetchone()) is None:
        raise UnknownPart(part)
    return str(row[0])


def _is_of_use(db: sqlite3.Connection, message: str, part: str) -> bool:
    """Return whether a text or a tool call of the message comes before `part`."""
    found = db.execute(
        "SELECT 1 FROM part WHERE message = ? AND id < ? AND type IN ('text', 'tool') LIMIT 1",
        (message, part),
    )
    return found.fetchone() is not None


def _prompt_of(db: sqlite3.Connection, session: str, message: str) -> str:
    """Return the id of the last prompt up to `message`; `message` itself if there is none."""
    row = db.execute(
        "SELECT id FROM message WHERE session = ? AND role = 'user' AND (created, id) <= "
        "(SELECT created, id FROM message WHERE id = ?) ORDER BY created DESC, id DESC LIMIT 1",
        (session, message),
    ).fetchone()
    return message if row is None else str(row[0])


def _from_message_on(
    db: sqlite3.Connection, session: str, message: str, itself: bool
) -> list[Gone]:
    rows = db.execute(
        f"SELECT id FROM message WHERE session = ? AND (created, id) {'>=' if itself else '>'} "
        "(SELECT created, id FROM message WHERE id = ?) ORDER BY created, id",
        (session, message),
    )
    return [Gone(session, found) for (found,) in rows]


def _remove(db: sqlite3.Connection, gone: list[Gone], now_ms: int) -> None:
    whole = [one.message for one in gone if one.part is None]
    parts = [(one.part,) for one in gone if one.part is not None]
    if _are_small(db, whole):
        db.executemany("DELETE FROM message WHERE id = ?", [(one,) for one in whole])
    else:
        sessions.discard_messages(db, gone[0].session, whole)
    db.executemany("DELETE FROM part WHERE id = ?", parts)
    removals.note_parts(db, gone, now_ms)


def _are_small(db: sqlite3.Connection, whole: list[str]) -> bool:
    """Return whether the messages are small enough for a deletion in one transaction."""
    count = size = 0
    for message in whole:
        row = db.execute(
            "SELECT count(*), ifnull(sum(length(json)), 0) FROM part WHERE message = ?", (message,)
        ).fetchone()
        count, size = count + row[0], size + row[1]
        if count >= sessions.SMALL_PARTS or size >= sessions.SMALL_BYTES:
            return False
    return True
