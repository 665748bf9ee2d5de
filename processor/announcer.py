"""Putting the events of sessions on the bus."""

from __future__ import annotations

from collections.abc import Iterable

from bus.events import Delta, Properties, SessionDeleted, event_of
from bus.events.part import ReasoningPart, TextPart
from bus.events.session import Session
from bus.ids import Ids
from bus.publisher import Publisher


class Announcer:
    """Publishes typed events, each with an id and with the place its session belongs to."""

    def __init__(self, publisher: Publisher, ids: Ids) -> None:
        self._publisher = publisher
        self._ids = ids

    def publish(self, properties: Properties, session: Session) -> None:
        """Publish one event about `session`."""
        event = event_of(properties, self._ids.ascending("evt"))
        self._publisher.publish(event, session.directory, session.projectID)

    def remember_gone(self, session: Session) -> None:
        """Have it known, without telling it now, that a session went in an earlier epoch."""
        gone = SessionDeleted(sessionID=session.id, info=session)
        event = event_of(gone, self._ids.ascending("evt"))
        self._publisher.remember(event, session.directory, session.projectID)

    def deltas(
        self, part: TextPart | ReasoningPart, deltas: Iterable[str], session: Session
    ) -> None:
        """Publish what is appended to a part, each delta as an event of its own."""
        publish, new_id = self._publisher.publish, self._ids.ascending
        where = (part.sessionID, part.messageID, part.id, "text")
        directory, project = session.directory, session.projectID
        for delta in deltas:
            publish(Delta(new_id("evt"), *where, delta), directory, project)
