"""The work of a processor's start if the last processor was killed.

Unfinished answers are closed, and the last changes are published again, since the last processor
may have saved them without publishing them.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator

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
from processor.store import chunks, messages, model_asks, open_turns, removals, sessions
from processor.store.arrival import LAST
from processor.store.open_turns import Asked, OpenTurn
from processor.store.removals import Gone

LATELY_MS = 10_000
INTERRUPTED = "the processor ended while the tool ran"
_MOST_SESSIONS = 32
_NEWEST_MESSAGES = 8
_MOST_MESSAGES = 256

_decode_answer = msgspec.json.Decoder(AssistantMessage).decode


class Changed(Struct):
    """A session that changed shortly before the last processor ended.

    Attributes:
        session: the session in its present state.
        messages: ids of the newest messages, and of messages that ended shortly before the last
            processor ended; the oldest first.
        runs: a turn of an agent continues in the session.
    """

    session: Session
    messages: list[str]
    runs: bool = False


class RecoveredChanges(Struct):
    """The changes that a started processor publishes again.

    "Lately" means less than `LATELY_MS` before the store's last change.

    Attributes:
        gone: sessions that were removed before that, in the order of removal.
        removed: sessions that were removed lately, children before their parents.
        changed: existing sessions that changed lately, the last changed last.
        turns: the turns of agents that continue.
        parts_gone: messages and parts that were removed lately from existing sessions.
        asks: the open asks (permission requests, questions) of turns that do not continue, each
            with its session.
    """

    gone: list[Session]
    removed: list[Session]
    changed: list[Changed]
    turns: list[OpenTurn]
    parts_gone: list[Gone]
    asks: list[tuple[Session, Asked]]


def recover(db: sqlite3.Connection, failure: Failure, now_ms: int) -> RecoveredChanges:
    """Close every unfinished answer of a model; the answer keeps its saved text, with `failure`.

    The answers of agents are not closed, since their turns continue.

    Returns:
        The sessions of the closed answers, and the last changes before the processor ended.
    """
    sessions.discard_incomplete(db)
    since_ms = _last_ms(db) - LATELY_MS
    ended: dict[str, list[str]] = {name: [] for name in _changed_since(db, since_ms)}
    turns = open_turns.left(db)
    running = [(one.session, one.answer.id) for one in turns if one.answer is not None]
    lately = _ended_since(db, since_ms)
    for session, message in [*lately, *_close_all(db, failure, now_ms), *running]:
        ended.setdefault(session, []).append(message)
    changed = [_changed(db, session, found) for session, found in ended.items()]
    for one in changed:
        one.runs = any(session == one.session.id for session, _ in running)
    asks = list(_left_asks(db))
    return RecoveredChanges(
        removals.before(db, since_ms),
        removals.since(db, since_ms),
        changed,
        turns,
        removals.parts_since(db, since_ms),
        asks,
    )


def _left_asks(db: sqlite3.Connection) -> Iterator[tuple[Session, Asked]]:
    """Yield the permission requests and questions that the last processor left open.

    Those of removed sessions are left out.
    """
    for asked in model_asks.take(db):
        with contextlib.suppress(sessions.UnknownSession):
            yield sessions.get(db, asked.sessionID), asked


def _last_ms(db: sqlite3.Connection) -> int:
    """Return when a session was last created, changed or removed (Unix ms); 0 if never."""
    last: int = db.execute(f"SELECT {LAST}").fetchone()[0]
    return last


def _changed_since(db: sqlite3.Connection, time_ms: int) -> list[str]:
    rows = db.execute(
        "SELECT id FROM session WHERE updated >= ? AND NOT hidden "
        "ORDER BY updated DESC, id LIMIT ?",
        (time_ms, _MOST_SESSIONS),
    )
    return [name for (name,) in rows.fetchall()][::-1]


def _ended_since(db: sqlite3.Connection, time_ms: int) -> list[tuple[str, str]]:
    """Return (session, id) of messages that ended since a time, even in unchanged sessions."""
    return db.execute(
        "SELECT session, id FROM message WHERE ended >= ? AND NOT open "
        "AND session NOT IN (SELECT id FROM session WHERE hidden) "
        "ORDER BY ended DESC, id LIMIT ?",
        (time_ms, _MOST_MESSAGES),
    ).fetchall()


def _close_all(db: sqlite3.Connection, failure: Failure, now_ms: int) -> list[tuple[str, str]]:
    """Close the unfinished answers of models; return (session, id) of each answer."""
    rows = db.execute(
        "SELECT json FROM message WHERE open AND parent NOT IN (SELECT prompt FROM agent_turn) "
        "AND session NOT IN (SELECT id FROM session WHERE hidden) "
        "ORDER BY created, id"
    ).fetchall()
    answers = [_decode_answer(row[0]) for row in rows]
    for answer in answers:
        _close(db, answer, failure, now_ms)
    return [(answer.sessionID, answer.id) for answer in answers]


def _changed(db: sqlite3.Connection, session: str, ended: Iterable[str]) -> Changed:
    # All of the newest messages may be prompts that wait, so messages that ended are added.
    ids = {*messages.newest(db, session, _NEWEST_MESSAGES), *ended}
    created = "SELECT created, id FROM message WHERE id = ?"
    keys = sorted(db.execute(created, (one,)).fetchone() for one in ids)
    return Changed(sessions.get(db, session), [message for _, message in keys])


def _close(db: sqlite3.Connection, answer: AssistantMessage, failure: Failure, now: int) -> None:
    answer.error = failure
    answer.time.completed = max(answer.time.created, now)
    for part in messages.parts_of(db, answer.id):
        if _end(db, part, now):
            messages.put_part(db, part)
    messages.put(db, answer)


def _end(db: sqlite3.Connection, part: Part, now_ms: int) -> bool:
    """End a part that still grows, or a tool call that still runs; return whether it changed."""
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
    part.state = ToolError(state.input, INTERRUPTED, Span(start, max(start, now_ms)), metadata)
    return True
