"""Messages and parts in the database: jobs that `Database` runs with its connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from bus.events.message import AssistantMessage, Message, UserMessage
from bus.events.part import Part
from bus.events.session import Session
from processor.store import sessions
from processor.store.arrival import LAST
from processor.store.chunks import with_text

_encode = msgspec.json.Encoder().encode
_decode_message: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_decode_prompt = msgspec.json.Decoder(UserMessage).decode
_decode_part: msgspec.json.Decoder[Part] = msgspec.json.Decoder(Part)
_MESSAGE = (
    "INSERT INTO message (id, session, parent, role, created, json, open, ended) "
    "VALUES (?1, ?2, ?3, ?4, "
    "max(?5, ifnull((SELECT max(created) + 1 FROM message WHERE session = ?2), 0)), "
    f"?6, ?7, max(?8, {LAST}))"
)
_PART = "INSERT INTO part (id, message, type, json) VALUES (?, ?, ?, ?)"
_REPLACE = " ON CONFLICT (id) DO UPDATE SET json = excluded.json"


class WithParts(Struct):
    """A message with its parts, as the REST routes return it; the JSON is not decoded."""

    info: Raw
    parts: list[Raw]


class DuplicateId(Exception):
    """A message or part with this id exists."""


class UnknownMessage(Exception):
    """The session has no such message."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Message not found: {message}")


def put(db: sqlite3.Connection, message: Message) -> None:
    """Insert or replace a message.

    Raises:
        UnknownSession: the session of the message does not exist.
    """
    sessions.check(db, message.sessionID)
    replace = f"{_REPLACE}, open = excluded.open, ended = excluded.ended"
    db.execute(_MESSAGE + replace, _message_row(message))


def put_part(db: sqlite3.Connection, part: Part) -> None:
    """Insert or replace a part, and delete the chunks of text that were stored while it grew.

    Raises:
        UnknownSession: the session of the part does not exist.
    """
    sessions.check(db, part.sessionID)
    db.execute(_PART + _REPLACE, _part_row(part))
    db.execute("DELETE FROM chunk WHERE part = ?", (part.id,))


def add_prompt(db: sqlite3.Connection, message: UserMessage, parts: Sequence[Part]) -> None:
    """Store a new prompt with its parts.

    Raises:
        DuplicateId: a message or part with one of these ids exists.
        UnknownSession: the session does not exist.
    """
    sessions.get(db, message.sessionID)
    try:
        db.execute(_MESSAGE, _message_row(message))
        db.executemany(_PART, [_part_row(part) for part in parts])
    except sqlite3.IntegrityError:
        raise DuplicateId(f"the id of message {message.id}, or of a part, is taken") from None


def prompt(db: sqlite3.Connection, session: str, message: str) -> tuple[Session, UserMessage]:
    """Return the present state of a session and of one of its prompts.

    Raises:
        UnknownSession: the session has been removed.
        UnknownMessage: the prompt has been removed.
    """
    found = sessions.get(db, session)
    row = db.execute("SELECT json FROM message WHERE id = ?", (message,)).fetchone()
    if row is None:
        raise UnknownMessage(message)
    return found, _decode_prompt(row[0])


def get(db: sqlite3.Connection, session: str, message: str) -> WithParts:
    """Return one message with its parts.

    Raises:
        UnknownMessage: the session has no such message.
    """
    return _with_parts(db, message, info(db, session, message))


def info(db: sqlite3.Connection, session: str, message: str) -> bytes:
    """Return the JSON of one message, without its parts.

    Raises:
        UnknownMessage: the session has no such message.
    """
    row = db.execute(
        "SELECT m.json FROM message m JOIN session s ON s.id = m.session AND NOT s.hidden "
        "WHERE m.id = ? AND m.session = ?",
        (message, session),
    ).fetchone()
    if row is None:
        raise UnknownMessage(message)
    found: bytes = row[0]
    return found


def parts_of(db: sqlite3.Connection, message: str) -> list[Part]:
    """Return the parts of a message; a part that still grows has an empty text (see `chunks`)."""
    rows = db.execute("SELECT json FROM part WHERE message = ? ORDER BY id", (message,))
    return [_decode_part.decode(json) for (json,) in rows]


def decoded(one: WithParts) -> tuple[Message, list[Part]]:
    """Decode the JSON of a message and of its parts."""
    return _decode_message.decode(one.info), [_decode_part.decode(part) for part in one.parts]


def answer_to(db: sqlite3.Connection, session: str, message: str) -> str:
    """Return the id of the last answer to a message; the message's own id without an answer."""
    row = db.execute(
        "SELECT id FROM message WHERE parent = ? AND session = ? "
        "ORDER BY created DESC, id DESC LIMIT 1",
        (message, session),
    ).fetchone()
    return message if row is None else str(row[0])


def place(db: sqlite3.Connection, message: str) -> tuple[int, str]:
    """Return a message's position: the values (creation time in ms, id) that sort messages."""
    place: tuple[int, str] = db.execute(
        "SELECT created, id FROM message WHERE id = ?", (message,)
    ).fetchone()
    return place


def newest(db: sqlite3.Connection, session: str, count: int) -> list[str]:
    """Return the ids of the newest messages of a session, oldest first."""
    rows = db.execute(
        "SELECT id FROM message WHERE session = ? ORDER BY created DESC, id DESC LIMIT ?",
        (session, count),
    ).fetchall()
    return [row[0] for row in reversed(rows)]


def _with_parts(db: sqlite3.Connection, message: str, info: bytes) -> WithParts:
    rows = db.execute("SELECT id, json FROM part WHERE message = ? ORDER BY id", (message,))
    return WithParts(Raw(info), [Raw(with_text(db, part, json)) for part, json in rows.fetchall()])


def _message_row(message: Message) -> tuple[str | int | bytes | None, ...]:
    answer = isinstance(message, AssistantMessage)
    completed = message.time.completed
    return (
        message.id,
        message.sessionID,
        message.parentID if isinstance(message, AssistantMessage) else None,
        "assistant" if answer else "user",
        message.time.created,
        _encode(message),
        answer and completed is msgspec.UNSET,
        message.time.created if completed is msgspec.UNSET else completed,
    )


def _part_row(part: Part) -> tuple[str, str, str, bytes]:
    kind = str(part.__struct_config__.tag)
    return part.id, part.messageID, kind, _encode(part)
