"""What happens in one session: saved first, published next.

The event of an entity leaves when its write is committed, the deltas of a part when the part is;
of deltas alone a kill may take back the last. Nobody waits for that: what follows queues behind
it, since the order of a session's events is kept.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

import gevent
from gevent.event import AsyncResult

from bus.events import (
    MessageUpdated,
    PartUpdated,
    PermissionAsked,
    PermissionReplied,
    Properties,
    QuestionAsked,
    QuestionRejected,
    QuestionReplied,
    SessionDeleted,
    SessionError,
    SessionIdle,
    SessionStatus,
    SessionUpdated,
    TodoUpdated,
)
from bus.events.message import AssistantMessage, Failure, Message, UserMessage
from bus.events.part import Part, ReasoningPart, TextPart, Tokens
from bus.events.session import Idle, Session, Status, Todo
from processor.announcer import Announcer
from processor.clock import not_before, now_ms
from processor.outbox import Outbox, Write
from processor.statuses import Statuses
from processor.store import agents, asks, messages, sessions
from processor.store.database import Database
from processor.store.drafts import Drafts

Asked = PermissionAsked | QuestionAsked


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
        self._outbox = Outbox()
        self._writes: dict[str, Write] = {}

    def save(self, *entities: Message | Part) -> None:
        """Hand in messages and parts to the store, in this order."""
        for entity in entities:
            put: Any = (
                messages.put
                if isinstance(entity, UserMessage | AssistantMessage)
                else messages.put_part
            )
            self._writes[entity.id] = self._services.database.submit(put, entity)

    def account(self, tokens: Tokens, cost: float = 0) -> AsyncResult[Session]:
        """Add what a turn used to the session's sum; the result is the session after that."""
        result = self._services.database.submit(
            sessions.update, self.session.id, lambda session: _add(session, tokens, cost)
        )
        self._writes[self.session.id] = result
        return result

    def settle(self) -> None:
        """Wait until everything handed in is written.

        Raises:
            NotSaved: the last write of something failed.
        """
        writes = list(self._writes.values())
        gevent.wait(writes)
        try:
            for write in writes:
                write.get()
        except (sqlite3.Error, sessions.UnknownSession) as error:
            raise NotSaved(str(error)) from error

    def wait_until_told(self) -> None:
        """Wait until everything published has left."""
        self._outbox.wait()

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
        publish = partial(self._services.announcer.deltas, part, deltas, self.session)
        self._outbox.put(publish, self._writes.get(part.id))

    def close(self, part: TextPart | ReasoningPart) -> str:
        """Return the whole text of a part that grows no more."""
        return self._services.drafts.close(part.id)

    def publish_message(self, info: Message) -> None:
        """Publish a message once what was handed in of it is saved."""
        self.publish(MessageUpdated(sessionID=self.session.id, info=info), info.id)

    def publish_part(self, part: Part) -> None:
        """Publish a part once what was handed in of it is saved."""
        told = PartUpdated(sessionID=self.session.id, part=part, time=now_ms())
        self.publish(told, part.id)

    def publish_stored(self, message: str) -> None:
        """Publish a message as it is stored, to whoever was told more of it than could be saved.

        Of one that is not stored at all nothing was told.
        """
        with contextlib.suppress(sqlite3.Error, messages.UnknownMessage):
            stored = self._services.database.call(messages.get, self.session.id, message)
            info, parts = messages.decoded(stored)
            self.publish(MessageUpdated(sessionID=self.session.id, info=info))
            for part in parts:
                self.publish(PartUpdated(sessionID=self.session.id, part=part, time=now_ms()))

    def ask(self, asked: Asked) -> None:
        """Save and publish what waits for a person."""
        kind = "permission" if isinstance(asked, PermissionAsked) else "question"
        self._writes[asked.id] = self._services.database.submit(
            asks.put, asked.id, self.session.id, kind
        )
        self.publish(asked, asked.id)

    def answer(self, answer: PermissionReplied | QuestionReplied | QuestionRejected) -> None:
        """Publish the answer, and forget the ask then: a kill may come between the two."""
        self.publish(answer)
        self._writes[answer.requestID] = self._services.database.submit(
            asks.remove, answer.requestID
        )

    def todos(self, todos: Sequence[Todo]) -> None:
        """Save and publish the todo list of the session."""
        self._writes["todos"] = self._services.database.submit(
            agents.put_todos, self.session.id, todos
        )
        self.publish(TodoUpdated(sessionID=self.session.id, todos=list(todos)), "todos")

    def publish_session(self, session: Session) -> None:
        """Publish a session that is saved already."""
        self.publish(SessionUpdated(sessionID=session.id, info=session))

    def publish_removal(self) -> None:
        """Publish that the session is gone."""
        self.publish(SessionDeleted(sessionID=self.session.id, info=self.session))

    def status(self, status: Status) -> None:
        """Publish what the session does from now on."""
        self._services.statuses.set(self.session, status)
        self.publish(SessionStatus(sessionID=self.session.id, status=status))

    def idle(self) -> None:
        """Publish that a turn is over."""
        self.status(Idle())
        self.publish(SessionIdle(sessionID=self.session.id))

    def error(self, failure: Failure) -> None:
        """Publish why a turn ends badly."""
        self.publish(SessionError(sessionID=self.session.id, error=failure))

    def publish(self, properties: Properties, entity: str | None = None) -> None:
        """Publish an event, once what was handed in of `entity` is saved."""
        publish = partial(self._services.announcer.publish, properties, self.session)
        self._outbox.put(publish, None if entity is None else self._writes.get(entity))


def _add(session: Session, tokens: Tokens, cost: float) -> None:
    total = session.tokens or Tokens.none()
    total.input += tokens.input
    total.output += tokens.output
    total.reasoning += tokens.reasoning
    total.cache.read += tokens.cache.read
    total.cache.write += tokens.cache.write
    session.tokens = total
    session.cost = (session.cost or 0) + cost
    session.time.updated = not_before(session.time.updated)
