"""What a killed processor left open, and how it is closed: a job for `Database`."""

from __future__ import annotations

import sqlite3

import msgspec
from msgspec import UNSET, Struct

from bus.events.message import AssistantMessage, Failure
from bus.events.part import Part, ReasoningPart, Span, TextPart
from bus.events.session import Session
from processor.store import chunks, messages, sessions

_decode_answer = msgspec.json.Decoder(AssistantMessage).decode
_decode_part: msgspec.json.Decoder[Part] = msgspec.json.Decoder(Part)


class Recovered(Struct):
    """An answer that was closed, with those of its parts that changed by it."""

    session: Session
    answer: AssistantMessage
    parts: list[Part]


def close_unfinished(db: sqlite3.Connection, failure: Failure, now_ms: int) -> list[Recovered]:
    """Close every unfinished answer with `failure`, its text as far as it was saved."""
    rows = db.execute("SELECT json FROM message WHERE open ORDER BY created, id").fetchall()
    return [_close(db, _decode_answer(row[0]), failure, now_ms) for row in rows]


def _close(
    db: sqlite3.Connection, answer: AssistantMessage, failure: Failure, now_ms: int
) -> Recovered:
    answer.error = failure
    answer.time.completed = now_ms
    rows = db.execute("SELECT json FROM part WHERE message = ? ORDER BY id", (answer.id,))
    parts = [_decode_part.decode(row[0]) for row in rows.fetchall()]
    changed = [part for part in parts if _end(db, part, now_ms)]
    for part in changed:
        messages.put_part(db, part)
    messages.put(db, answer)
    return Recovered(sessions.get(db, answer.sessionID), answer, changed)


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
