"""Digests of the messages and parts that were published, bounded by their number."""

from __future__ import annotations

from msgspec import Struct


class PublishedEntity(Struct):
    """A message or a part; `message` is the id of the message, or of the part's message."""

    digest: int
    session: str
    message: str
    created_ms: int | None = None


class Entities:
    """A table of entities by id, which can also list the entities of a session.

    Args:
        most: the limit; the entity that changed longest ago is dropped first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._entities: dict[str, PublishedEntity] = {}
        self._of_session: dict[str, dict[str, PublishedEntity]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._entities

    def get(self, name: str) -> PublishedEntity | None:
        """Return an entity, None if it is not in the table."""
        return self._entities.get(name)

    def of(self, session: str) -> list[tuple[str, PublishedEntity]]:
        """Return the ids and entities of a session."""
        return list(self._of_session.get(session, {}).items())

    def put(self, name: str, entity: PublishedEntity) -> None:
        """Add or replace an entity, as the newest."""
        self.drop(name)
        self._entities[name] = entity
        self._of_session.setdefault(entity.session, {})[name] = entity
        if len(self._entities) > self._most:
            self.drop(next(iter(self._entities)))

    def drop(self, name: str) -> None:
        """Remove an entity, if it is in the table."""
        entity = self._entities.pop(name, None)
        if entity is None:
            return
        siblings = self._of_session[entity.session]
        del siblings[name]
        if not siblings:
            del self._of_session[entity.session]

    def drop_session(self, session: str) -> None:
        """Remove the entities of a session."""
        for name in self._of_session.pop(session, {}):
            del self._entities[name]
