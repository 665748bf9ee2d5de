"""The state after a kill: turns to close, and changes that may not have been published."""

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
    """A session that changed shortly before the end.

    Attributes:
        session: its present value.
        messages: ids of the newest, and of those that ended lately, oldest first.
        runs: a turn in it continues.
    """

    session: Session
    messages: list[str]
    runs: bool = False


class RecoveredChanges(Struct):
    """What changed shortly before the processor stopped, and what was removed earlier.

    Attributes:
        gone: sessions that were removed earlier, the oldest first.
        removed: sessions that are gone, children before their parents.
        changed: those that are still there, the last changed last.
        turns: those that go on.
        parts_gone: what was removed of sessions that are still there.
        asks: what turns that do not go on have asked a person, with their sessions.
    """

    gone: list[Session]
    removed: list[Session]
    changed: list[Changed]
    turns: list[OpenTurn]
    parts_gone: list[Gone]
    asks: list[tuple[Session, Asked]]


def recover(db: sqlite3.Connection, failure: Failure, now_ms: int) -> RecoveredChanges:
    """Close every unfinished answer of a model with `failure`, and with its saved text.

    The answers of agents are not closed, since their turns continue.

    Returns:
        The sessions of the closed answers, and all changes since shortly before the last one.
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
    """Yield the asks of the last processor, but not those of sessions that are being removed."""
    for asked in model_asks.take(db):
        with contextlib.suppress(sessions.UnknownSession):
            yield sessions.get(db, asked.sessionID), asked


def _last_ms(db: sqlite3.Connection) -> int:
    """Return when a session last changed or was removed."""
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
    """Return session and id of messages that ended lately, even in unchanged sessions."""
    return db.execute(
        "SELECT session, id FROM message WHERE ended >= ? AND NOT open "
        "AND session NOT IN (SELECT id FROM session WHERE hidden) "
        "ORDER BY ended DESC, id LIMIT ?",
        (time_ms, _MOST_MESSAGES),
    ).fetchall()


def _close_all(db: sqlite3.Connection, failure: Failure, now_ms: int) -> list[tuple[str, str]]:
    """Close the unfinished answers; return session and id of each."""
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
    # The newest messages may be waiting prompts, so messages that have ended are added.
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
    part.state = ToolError(state.input, INTERRUPTED, Span(start, max(start, now_ms)), metadata)
    return True
