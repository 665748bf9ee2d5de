"""What a killed processor left: turns to close, and news that nobody may have heard of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec
from msgspec import UNSET, Struct

from bus.events.message import AssistantMessage, Failure
from bus.events.part import (
    Part,
    ReasoningPart,
    Span,
    TextPart,
    ToolError,
    ToolPart,
    ToolPending,
    ToolRunning,
)
from bus.events.session import Session
from processor.store import asks, chunks, messages, removals, sessions
from processor.store.arrival import LAST
from processor.store.asks import Left

LATELY_MS = 10_000
_MOST_SESSIONS = 32
_NEWEST_MESSAGES = 8
_MOST_MESSAGES = 256

_decode_answer = msgspec.json.Decoder(AssistantMessage).decode


class Changed(Struct):
    """A session that changed shortly before the end.

    Attributes:
        session: what it is.
        messages: ids of the newest, and of those that ended lately, oldest first.
    """

    session: Session
    messages: list[str]


class News(Struct):
    """What happened shortly before the end, and what had gone by then.

    Attributes:
        gone: sessions that were removed earlier, the oldest first.
        removed: sessions that are gone, children before their parents.
        changed: those that are still there, the last changed last.
        asks: what waited for a person, and never gets an answer now.
    """

    gone: list[Session]
    removed: list[Session]
    changed: list[Changed]
    asks: list[Left]


def recover(db: sqlite3.Connection, failure: Failure, now_ms: int) -> News:
    """Close every unfinished answer with `failure`, its text as far as it was saved.

    Returns:
        The sessions of these, and what happened since shortly before the last such change.
    """
    since_ms = _last_ms(db) - LATELY_MS
    ended: dict[str, list[str]] = {name: [] for name in _changed_since(db, since_ms)}
    for session, message in [*_ended_since(db, since_ms), *_close_all(db, failure, now_ms)]:
        ended.setdefault(session, []).append(message)
    changed = [_changed(db, session, found) for session, found in ended.items()]
    return News(
        removals.before(db, since_ms), removals.since(db, since_ms), changed, asks.left(db)
    )


def _last_ms(db: sqlite3.Connection) -> int:
    """Return when a session last changed or was removed."""
    last: int = db.execute(f"SELECT {LAST}").fetchone()[0]
    return last


def _changed_since(db: sqlite3.Connection, time_ms: int) -> list[str]:
    rows = db.execute(
        "SELECT id FROM session WHERE updated >= ? ORDER BY updated DESC, id LIMIT ?",
        (time_ms, _MOST_SESSIONS),
    )
    return [name for (name,) in rows.fetchall()][::-1]


def _ended_since(db: sqlite3.Connection, time_ms: int) -> list[tuple[str, str]]:
    """Return session and id of messages that had their last word, whatever their session says."""
    return db.execute(
        "SELECT session, id FROM message WHERE ended >= ? AND NOT open "
        "ORDER BY ended DESC, id LIMIT ?",
        (time_ms, _MOST_MESSAGES),
    ).fetchall()


def _close_all(db: sqlite3.Connection, failure: Failure, now_ms: int) -> list[tuple[str, str]]:
    """Close the unfinished answers; return session and id of each."""
    rows = db.execute("SELECT json FROM message WHERE open ORDER BY created, id").fetchall()
    answers = [_decode_answer(row[0]) for row in rows]
    for answer in answers:
        _close(db, answer, failure, now_ms)
    return [(answer.sessionID, answer.id) for answer in answers]


def _changed(db: sqlite3.Connection, session: str, ended: Iterable[str]) -> Changed:
    # Prompts that wait for their turn are newer than an answer that has ended meanwhile.
    told = {*messages.newest(db, session, _NEWEST_MESSAGES), *ended}
    created = "SELECT created, id FROM message WHERE id = ?"
    keys = sorted(db.execute(created, (one,)).fetchone() for one in told)
    return Changed(sessions.get(db, session), [message for _, message in keys])


def _close(db: sqlite3.Connection, answer: AssistantMessage, failure: Failure, now: int) -> None:
    answer.error = failure
    answer.time.completed = max(answer.time.created, now)
    rows = db.execute("SELECT json FROM part WHERE message = ? ORDER BY id", (answer.id,))
    for part in [messages.decode_part(row[0]) for row in rows.fetchall()]:
        if _end(db, part, now):
            messages.put_part(db, part)
    messages.put(db, answer)


def _end(db: sqlite3.Connection, part: Part, now_ms: int) -> bool:
    """End a part that still grew, or a tool call that ran; tell whether it did."""
    if isinstance(part, ToolPart):
        return _end_call(part, now_ms)
    if not isinstance(part, TextPart | ReasoningPart):
        return False
    span = Span(now_ms) if part.time is UNSET else part.time
    if span.end is not UNSET:
        return False
    part.text = chunks.text_of(db, part.id)
    part.time = Span(span.start, max(span.start, now_ms))
    return True


def _end_call(part: ToolPart, now_ms: int) -> bool:
    state = part.state
    if not isinstance(state, ToolPending | ToolRunning):
        return False
    start = state.time.start if isinstance(state, ToolRunning) else now_ms
    metadata = state.metadata if isinstance(state, ToolRunning) else UNSET
    why = "the processor was restarted while the tool ran"
    part.state = ToolError(state.input, why, Span(start, max(start, now_ms)), metadata)
    return True
