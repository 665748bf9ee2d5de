"""Remembers what was published lately: for messages and parts a digest, not their content.

After a cut, healing compares REST's answers with this memory, so that readers only get what is
new. The memory is bounded; what changed longest ago is dropped first. This costs little, since
healing publishes a dropped entity only if the entity is recent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from msgspec import Struct, field

from bus.events import ENTITIES
from bus.events.catalogue import DIFF, REQUEST, SESSION, STATUS, TODOS
from bus.json import digest
from processor.upstream.entities import Entities, PublishedEntity
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
        place: its location.
        seen_at: when the last event of the session came that is not text, s on the caller's clock.
        status: the last published status, None if there was none.
        writes: the first event of the session was text, so it works although its status is
            unknown.
        info: the last published value of the session, for the event of its deletion.
        todos: digest of the todo list.
        diff: digest of the changes to its files.
        requests: pending permissions and questions, by id.
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
        """The session that this session is deleted with."""
        return self.info.get("parentID") if isinstance(self.info, dict) else None

    @property
    def updated_ms(self) -> int | None:
        """When the session last changed, by the server's clock; None if it is not known."""
        ms = time_of(self.info, "updated") if isinstance(self.info, dict) else None
        return ms if ms is not None and 0 <= ms < _LATEST_MS else None

    @property
    def idle(self) -> bool:
        """Whether the last known status is idle."""
        return isinstance(self.status, dict) and self.status.get("type") == "idle"

    def lively(self, now: float) -> bool:
        """Return whether readers may miss events of the session if the stream is cut now."""
        return not self.idle or bool(self.requests) or now - self.seen_at <= LIVELY_S


class UpstreamMemory:
    """Remembers what is published.

    Args:
        most_sessions: how many sessions are kept.
        most_entities: how many messages and parts are kept, over all sessions.
    """

    def __init__(
        self, most_sessions: int = MOST_SESSIONS, most_entities: int = MOST_ENTITIES
    ) -> None:
        self._most_sessions = most_sessions
        self._sessions: dict[str, RememberedSession] = {}
        self._entities = Entities(most_entities)

    def sessions(self) -> Iterator[tuple[str, RememberedSession]]:
        """Yield the ids and sessions, the longest silent first."""
        yield from list(self._sessions.items())

    def session(self, session: str) -> RememberedSession | None:
        """Return a session, None if it is not in the memory."""
        return self._sessions.get(session)

    def recall(self, session: str, known: RememberedSession) -> None:
        """Add a session from the last processor's notes."""
        self._sessions[session] = known
        _bound(self._sessions, self._most_sessions)

    def entities(self, session: str) -> list[tuple[str, PublishedEntity]]:
        """Return the ids and entities of a session's messages and parts."""
        return self._entities.of(session)

    def knows(self, message_or_part: str) -> bool:
        """Return whether a message or part was published, as far as the memory goes."""
        return message_or_part in self._entities

    def has(self, message_or_part: str, value: Any) -> bool:
        """Return whether `value` is the last published value of a message or part."""
        known = self._entities.get(message_or_part)
        return known is not None and known.digest == digest(value)

    def note_text(self, session: str, place: InstanceLocation, now: float) -> None:
        """Note that text grows in a session, so that healing can report the end of its turn."""
        if session not in self._sessions:
            self._touch(session, place, now).writes = True

    def note(self, subject: Subject, place: InstanceLocation, now: float) -> None:
        """Note the published value of an entity."""
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
        """Note a message or part, but not a part of an unknown message: readers may drop it."""
        value = subject.value
        message = subject.message or subject.id
        if value is not None and (message == subject.id or message in self._entities):
            created_ms = time_of(value, "created")
            entity = PublishedEntity(digest(value), subject.session, message, created_ms)
            self._entities.put(subject.id, entity)
        else:
            self._entities.drop(subject.id)

    def _forget(self, session: str) -> None:
        """Drop a deleted session, and the entities of all sessions that are deleted with it.

        The child sessions stay in memory, so that healing can report their deletion.
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
    """Set `key` as the newest of `table`, or remove it if `value` is None."""
    table.pop(key, None)
    if value is not None:
        table[key] = value


def _bound(table: dict[str, _V], most: int) -> None:
    if len(table) > most:
        del table[next(iter(table))]
