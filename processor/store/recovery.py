"""What a killed processor left: turns to close, and changes that nobody may have heard of."""

from __future__ import annotations

import sqlite3

import msgspec
from msgspec import UNSET, Struct

from bus.events.message import AssistantMessage, Failure, Message
from bus.events.part import Part, ReasoningPart, Span, TextPart
from bus.events.session import Session
from processor.store import chunks, messages, sessions

LATELY_MS = 10_000
_MOST_SESSIONS = 32
_MOST_MESSAGES = 8

_decode_answer = msgspec.json.Decoder(AssistantMessage).decode
_decode_message: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_decode_part: msgspec.json.Decoder[Part] = msgspec.json.Decoder(Part)


class Changed(Struct):
    """A session that changed shortly before the end, with its latest messages, oldest first."""

    session: Session
    messages: list[tuple[Message, list[Part]]]


def recover(db: sqlite3.Connection, failure: Failure, now_ms: int) -> list[Changed]:
    """Close every unfinished answer with `failure`, its text as far as it was saved.

    Returns:
        The sessions of these, and those that changed shortly before the last change of all.
    """
    rows = db.execute("SELECT json FROM message WHERE open ORDER BY created, id").fetchall()
    answers = [_decode_answer(row[0]) for row in rows]
    names = [name for (name,) in db.execute(_LATELY, (LATELY_MS, _MOST_SESSIONS)).fetchall()]
    for answer in answers:
        _close(db, answer, failure, now_ms)
    closed = [answer.sessionID for answer in answers]
    return [_changed(db, name) for name in dict.fromkeys([*names[::-1], *closed])]


_LATELY = (
    "SELECT id FROM session WHERE updated >= (SELECT max(updated) FROM session) - ? "
    "ORDER BY updated DESC, id LIMIT ?"
)


def _changed(db: sqlite3.Connection, session: str) -> Changed:
    page, _ = messages.page(db, session, _MOST_MESSAGES, None)
    decoded = [
        (_decode_message.decode(one.info), [_decode_part.decode(part) for part in one.parts])
        for one in page
    ]
    return Changed(sessions.get(db, session), decoded)


def _close(db: sqlite3.Connection, answer: AssistantMessage, failure: Failure, now: int) -> None:
    answer.error = failure
    answer.time.completed = now
    rows = db.execute("SELECT json FROM part WHERE message = ? ORDER BY id", (answer.id,))
    for part in [_decode_part.decode(row[0]) for row in rows.fetchall()]:
        if _end(db, part, now):
            messages.put_part(db, part)
    messages.put(db, answer)


def _end(db: sqlite3.Connection, part: Part, now_ms: int) -> bool:
    """End a part that still grew; tell whether it did."""
    if not isinstance(part, TextPart | ReasoningPart):
        return False
    span = Span(now_ms) if part.time is UNSET else part.time
    if span.end is not UNSET:
        return False
    part.text = chunks.text_of(db, part.id)
    part.time = Span(span.start, now_ms)
    return True
