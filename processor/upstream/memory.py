"""Remembers what was published lately: of messages and parts a digest, not their content.

After a cut, healing compares REST's answers with this memory, so that readers get only what is
new. The memory is bounded, and forgets first what changed longest ago. Forgetting costs little:
healing publishes forgotten entities only if they are recent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from msgspec import Struct, field

from bus.events import ENTITIES
from bus.events.catalogue import DIFF, REQUEST, SESSION, STATUS, TODOS
from bus.json import digest
from processor.upstream.entities import Entities, Entity
from processor.upstream.frames import InstanceLocation
from processor.upstream.subject import Subject, time_of

MOST_SESSIONS = 512
MOST_ENTITIES = 50_000
LIVELY_S = 30.0
_LATEST_MS = 2**53

_V = TypeVar("_V")


class RememberedSession(Struct):
    """A session.

    Attributes:
        place: where it lives.
        seen_at: when something but text was last heard of it, s on the caller's clock.
        status: the last one published, None if there was none.
        writes: whether text grew in it before all else was known.
        info: the last one published, to say whose end it is when it is deleted.
        todos: digest of the todo list.
        diff: digest of what has changed in its files.
        requests: permissions and questions that are pending, by id.
    """

    place: InstanceLocation
    seen_at: float
    status: Any = None
    writes: bool = False
    info: Any = None
    todos: int | None = None
    diff: int | None = None
    requests: dict[str, Any] = field(default_factory=dict)

    @property
    def parent(self) -> str | None:
        """The session that it is deleted with."""
        return self.info.get("parentID") if isinstance(self.info, dict) else None

    @property
    def updated_ms(self) -> int | None:
        """When the session last changed, by the server's clock; None if it never said so."""
        ms = time_of(self.info, "updated") if isinstance(self.info, dict) else None
        return ms if ms is not None and 0 <= ms < _LATEST_MS else None

    @property
    def idle(self) -> bool:
        """Whether it was idle when it last said what it is doing."""
        return isinstance(self.status, dict) and self.status.get("type") == "idle"

    def lively(self, now: float) -> bool:
        """Tell whether a stream that is cut now may miss something of it."""
        return not self.idle or bool(self.requests) or now - self.seen_at <= LIVELY_S


class UpstreamMemory:
    """Remembers what is published.

    Args:
        most_sessions: how many sessions are remembered.
        most_entities: how many messages and parts are, over all sessions.
    """

    def __init__(
        self, most_sessions: int = MOST_SESSIONS, most_entities: int = MOST_ENTITIES
    ) -> None:
        self._most_sessions = most_sessions
        self._sessions: dict[str, RememberedSession] = {}
        self._entities = Entities(most_entities)

    def sessions(self) -> Iterator[tuple[str, RememberedSession]]:
        """Yield id and session, the one silent for longest first."""
        yield from list(self._sessions.items())

    def session(self, session: str) -> RememberedSession | None:
        """Return a session, None if it is not remembered."""
        return self._sessions.get(session)

    def recall(self, session: str, known: RememberedSession) -> None:
        """Take over what the last processor remembered of a session."""
        self._sessions[session] = known
        _bound(self._sessions, self._most_sessions)

    def entities(self, session: str) -> list[tuple[str, Entity]]:
        """Return id and entity of the messages and parts of a session."""
        return self._entities.of(session)

    def knows(self, message_or_part: str) -> bool:
        """Tell whether a message or part was published, and is remembered."""
        return message_or_part in self._entities

    def has(self, message_or_part: str, value: Any) -> bool:
        """Tell whether this value of a message or part is the last that was published."""
        known = self._entities.get(message_or_part)
        return known is not None and known.digest == digest(value)

    def note_text(self, session: str, place: InstanceLocation, now: float) -> None:
        """Note that text grows in a session, so that it has something to be idle after."""
        if session not in self._sessions:
            self._touch(session, place, now).writes = True

    def note(self, subject: Subject, place: InstanceLocation, now: float) -> None:
        """Note what is published about an entity."""
        kind, value = ENTITIES[subject.kind], subject.value
        if not kind.fetched:
            return
        if kind is SESSION and value is None:
            self._forget(subject.id)
            return
        session = self._touch(subject.session, place, now)
        if kind is SESSION:
            session.info = value
        elif kind is STATUS:
            session.status = value
        elif kind is TODOS:
            session.todos = digest(value)
        elif kind is DIFF:
            session.diff = digest(value)
        elif kind is REQUEST:
            _put_or_drop(session.requests, subject.id, value)
        else:
            self._note_entity(subject)

    def _note_entity(self, subject: Subject) -> None:
        """Note a message or part, but no part of an unknown message: readers may drop it."""
        value = subject.value
        message = subject.message or subject.id
        if value is not None and (message == subject.id or message in self._entities):
            created_ms = time_of(value, "created")
            entity = Entity(digest(value), subject.session, message, created_ms)
            self._entities.put(subject.id, entity)
        else:
            self._entities.drop(subject.id)

    def _forget(self, session: str) -> None:
        """Forget a session that is deleted, and what is in those that go with it.

        These are themselves remembered until it is their turn, so that healing can say they end.
        """
        self._sessions.pop(session, None)
        gone = [session]
        for one in gone:
            self._entities.drop_session(one)
            gone += [name for name, known in self._sessions.items() if known.parent == one]

    def _touch(self, session: str, place: InstanceLocation, now: float) -> RememberedSession:
        known = self._sessions.pop(session, None) or RememberedSession(place, now)
        known.seen_at = now
        self._sessions[session] = known
        _bound(self._sessions, self._most_sessions)
        return known


def _put_or_drop(table: dict[str, _V], key: str, value: _V | None) -> None:
    """Make `key` the newest of `table`, or take it out if there is no value."""
    table.pop(key, None)
    if value is not None:
        table[key] = value


def _bound(table: dict[str, _V], most: int) -> None:
    if len(table) > most:
        del table[next(iter(table))]
