"""What happens in one session: saved first, published next.

A write is handed in before its event is published, and the store works in order. So whoever has
seen an event and then asks the store finds what the event said.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from gevent.event import AsyncResult

from bus.events import (
    MessageUpdated,
    PartUpdated,
    SessionDeleted,
    SessionError,
    SessionIdle,
    SessionStatus,
    SessionUpdated,
)
from bus.events.message import AssistantMessage, Failure, Message, UserMessage
from bus.events.part import Part, ReasoningPart, TextPart, Tokens
from bus.events.session import Idle, Session, Status
from processor.announcer import Announcer
from processor.clock import now_ms
from processor.statuses import Statuses
from processor.store import messages, sessions
from processor.store.database import Database
from processor.store.drafts import Drafts


class NotSaved(Exception):
    """The store could not write; the message says why."""


class Services:
    """What every record needs; one for the whole processor."""

    def __init__(
        self, database: Database, drafts: Drafts, announcer: Announcer, statuses: Statuses
    ) -> None:
        self.database = database
        self.drafts = drafts
        self.announcer = announcer
        self.statuses = statuses


class Record:
    """One session's way to the store and to the bus."""

    def __init__(self, session: Session, services: Services) -> None:
        self.session = session
        self._services = services
        self._unsettled: list[AsyncResult[Any]] = []

    def save(self, *entities: Message | Part) -> None:
        """Hand in messages and parts to the store, in this order."""
        for entity in entities:
            put: Any = (
                messages.put
                if isinstance(entity, UserMessage | AssistantMessage)
                else messages.put_part
            )
            self._unsettled.append(self._services.database.submit(put, entity))

    def account(self, tokens: Tokens) -> AsyncResult[Session]:
        """Add what a turn used to the session's sum; the result is the session after that."""
        result = self._services.database.submit(
            sessions.update, self.session.id, lambda session: _add(session, tokens)
        )
        self._unsettled.append(result)
        return result

    def settle(self) -> None:
        """Wait until everything handed in is written.

        Raises:
            NotSaved: something could not be.
        """
        results, self._unsettled = self._unsettled, []
        try:
            for result in results:
                result.get()
        except (sqlite3.Error, sessions.UnknownSession) as error:
            raise NotSaved(str(error)) from error

    def message(self, info: Message) -> None:
        """Save and publish a message, new or changed."""
        self.save(info)
        self.publish_message(info)

    def part(self, part: Part) -> None:
        """Save and publish a part, new or changed."""
        self.save(part)
        self.publish_part(part)

    def deltas(self, part: TextPart | ReasoningPart, deltas: Sequence[str]) -> None:
        """Append to a part that grows; it is saved within the next flush of the drafts."""
        self._services.drafts.add(part.id, deltas)
        self._services.announcer.deltas(part, deltas, self.session)

    def close(self, part: TextPart | ReasoningPart) -> str:
        """Return the whole text of a part that grows no more."""
        return self._services.drafts.close(part.id)

    def publish_message(self, info: Message) -> None:
        """Publish a message that is saved already."""
        self._publish(MessageUpdated(sessionID=self.session.id, info=info))

    def publish_part(self, part: Part) -> None:
        """Publish a part that is saved already."""
        self._publish(PartUpdated(sessionID=self.session.id, part=part, time=now_ms()))

    def publish_session(self, session: Session) -> None:
        """Publish a session that is saved already."""
        self._publish(SessionUpdated(sessionID=session.id, info=session))

    def publish_removal(self) -> None:
        """Publish that the session is gone."""
        self._publish(SessionDeleted(sessionID=self.session.id, info=self.session))

    def status(self, status: Status) -> None:
        """Publish what the session does from now on."""
        self._services.statuses.set(self.session, status)
        self._publish(SessionStatus(sessionID=self.session.id, status=status))

    def idle(self) -> None:
        """Publish that a turn is over."""
        self.status(Idle())
        self._publish(SessionIdle(sessionID=self.session.id))

    def error(self, failure: Failure) -> None:
        """Publish why a turn ends badly."""
        self._publish(SessionError(sessionID=self.session.id, error=failure))

    def _publish(self, properties: Any) -> None:
        self._services.announcer.publish(properties, self.session)


def _add(session: Session, tokens: Tokens) -> None:
    total = session.tokens or Tokens.none()
    total.input += tokens.input
    total.output += tokens.output
    total.reasoning += tokens.reasoning
    total.cache.read += tokens.cache.read
    total.cache.write += tokens.cache.write
    session.tokens = total
    session.time.updated = now_ms()
