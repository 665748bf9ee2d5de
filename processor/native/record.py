"""Saves the changes of one session, and publishes each once it is saved.

An event cannot be taken back. So the event of an entity is published only when the entity's write
is committed, and the deltas of a part when the part is saved. The caller does not wait for this:
later events queue behind, since the events of a session keep their order. Nothing queues while the
store keeps up.

A turn of an engine submits each write on its own; a kill may lose its last deltas. A turn of an
agent has a `Transaction`: the effects of a line are saved with the number of the line, and its
deltas are published after that. So an agent that sends unacknowledged lines again continues
exactly where readers and store are.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import gevent
from gevent.event import AsyncResult
from msgspec import Struct

from bus.agent_lines import ReplyWork
from bus.events import Delta, event_of
from bus.events.catalogue import (
    MessageRemoved,
    MessageUpdated,
    PartRemoved,
    PartUpdated,
    Properties,
    SessionCreated,
    SessionDeleted,
    SessionError,
    SessionIdle,
    SessionStatus,
    SessionUpdated,
    TodoUpdated,
)
from bus.events.message import AssistantMessage, Failure, Message, UserMessage
from bus.events.part import Part, ReasoningPart, TextPart, TokenCounts
from bus.events.session import Idle, Session, Status, Todo
from bus.ids import Ids
from bus.process.fairness import TURN_SLICE_S, TimeSlice
from bus.transport.publisher import Publisher
from processor.clock import not_before, now_ms
from processor.native.statuses import LiveStatuses
from processor.store import agents, chunks, messages, open_turns, sessions
from processor.store.database import Database
from processor.store.drafts import Drafts
from processor.store.failures import StoreFailed
from processor.store.removals import Gone
from processor.store.transaction import Transaction, commit

Write: TypeAlias = "AsyncResult[Any]"


class NotSaved(Exception):
    """The store could not write; the message says why."""


class Services(Struct):
    """The objects that every record needs, one of each for the whole processor."""

    database: Database
    drafts: Drafts
    publisher: Publisher
    ids: Ids
    statuses: LiveStatuses


class Record:
    """Writes and publishes the changes of one session.

    Args:
        session: as published.
        services: of the processor.

    Attributes:
        session: as given.
        ids: makes the ids of messages and parts.
        drafts: the text of growing parts.
        transaction: in which writes wait until `settle`, or a `commit` of other code; None: each
            write is saved on its own.
    """

    def __init__(self, session: Session, services: Services) -> None:
        self.session = session
        self.ids = services.ids
        self.drafts = services.drafts
        self.transaction: Transaction | None = None
        self._services = services
        self._store: Database | Transaction = services.database
        self._waiting: deque[tuple[Write | None, Callable[[], None]]] = deque()
        self._writes: dict[str, Write] = {}

    # Saving.

    def gather(self) -> None:
        """Save all later writes together."""
        self._store = self.transaction = Transaction()
        submit = self.transaction.submit
        self.drafts = Drafts(lambda pending: submit(chunks.append, pending))

    def submit(self, entity: str, work: Callable[..., Any], *args: Any) -> Write:
        """Submit a write of an entity to the store."""
        write: Write = self._store.submit(work, *args)
        self._writes[entity] = write
        return write

    def save(self, *entities: Message | Part) -> None:
        """Submit messages and parts to the store, in this order."""
        for entity in entities:
            is_message = isinstance(entity, UserMessage | AssistantMessage)
            put: Any = messages.put if is_message else messages.put_part
            self.submit(entity.id, put, entity)

    def account(self, tokens: TokenCounts, cost: float = 0) -> AsyncResult[Session]:
        """Add the cost of a turn to the session; the result is the session after that."""
        change = partial(_add, tokens=tokens, cost=cost)
        return self.submit(self.session.id, sessions.update, self.session.id, change)

    def settle(self) -> None:
        """Wait until all submitted writes are done.

        Raises:
            NotSaved: the last write of an entity failed.
        """
        writes = list(self._writes.values())
        try:
            if self.transaction is not None:
                self.drafts.flush()
                commit(self._services.database, [self.transaction])
                self.wait_until_published()
            gevent.wait(writes)
            for write in writes:
                write.get()
        except (StoreFailed, sessions.UnknownSession) as error:
            if self.transaction is not None:
                self.transaction.give_up(error)
            raise NotSaved(str(error)) from error

    # Publishing.

    def publish(self, properties: Properties, entity: str | None = None) -> None:
        """Publish an event, once the submitted writes of `entity` are saved."""
        write = None if entity is None else self._writes.get(entity)
        self._put(partial(self._publish, properties), write)

    @property
    def is_behind(self) -> bool:
        """Whether events wait for the store."""
        return bool(self._waiting)

    def wait_until_published(self) -> None:
        """Wait until all published events have been sent."""
        if not self._waiting:
            return
        hold = TimeSlice(TURN_SLICE_S)
        while self._waiting:
            write, _ = self._waiting[0]
            if write is not None and not write.ready():
                write.wait()
            else:
                self._let_first_go()
            hold.pass_on_if_over()

    def _put(self, publish: Callable[[], None], write: Write | None) -> None:
        """Publish after all waiting events, and after `write`; never if `write` fails."""
        if not self._waiting and (write is None or write.successful()):
            publish()
            return
        self._waiting.append((write, publish))
        # The events of a transaction come all at once, and are sent step by step after its commit.
        if self.transaction is None and write is not None and not write.ready():
            write.rawlink(self._let_go)
        self._let_go()

    def _let_go(self, _: object = None) -> None:
        while self._waiting and ((write := self._waiting[0][0]) is None or write.ready()):
            self._let_first_go()

    def _let_first_go(self) -> None:
        write, publish = self._waiting.popleft()
        if write is None or write.successful():
            publish()

    def _publish(self, properties: Properties) -> None:
        event = event_of(properties, self.ids.ascending("evt"))
        session = self.session
        self._services.publisher.publish(event, session.directory, session.projectID)

    def _publish_deltas(self, part: TextPart | ReasoningPart, deltas: Sequence[str]) -> None:
        publish, new_id = self._services.publisher.publish, self.ids.ascending
        where = (part.sessionID, part.messageID, part.id, "text")
        directory, project = self.session.directory, self.session.projectID
        for delta in deltas:
            publish(Delta(new_id("evt"), *where, delta), directory, project)

    # Changes in a turn.

    def message(self, info: Message) -> None:
        """Save and publish a new or changed message."""
        self.save(info)
        self.publish_message(info)

    def part(self, part: Part) -> None:
        """Save and publish a new or changed part."""
        self.save(part)
        self.publish_part(part)

    def deltas(self, part: TextPart | ReasoningPart, deltas: Sequence[str]) -> None:
        """Append deltas to a growing part, and publish them; a flush of the drafts saves them."""
        self.drafts.add(part.id, deltas)
        own = self.transaction
        write = self._writes.get(part.id) if own is None else own.saved
        self._put(partial(self._publish_deltas, part, deltas), write)

    def close(self, part: TextPart | ReasoningPart) -> str:
        """Return the whole text of a part that no longer grows."""
        return self.drafts.close(part.id)

    def publish_message(self, info: Message) -> None:
        """Publish a message once its submitted writes are saved."""
        self.publish(MessageUpdated(sessionID=self.session.id, info=info), info.id)

    def publish_part(self, part: Part) -> None:
        """Publish a part once its submitted writes are saved."""
        updated = PartUpdated(sessionID=self.session.id, part=part, time=now_ms())
        self.publish(updated, part.id)

    def publish_stored(self, message: str) -> None:
        """Publish a message as it is stored: readers may have more of it than was saved.

        If a message is not stored at all, readers have nothing of it.
        """
        with contextlib.suppress(StoreFailed, messages.UnknownMessage):
            stored = self._services.database.call(messages.get, self.session.id, message)
            info, parts = messages.decoded(stored)
            self.publish(MessageUpdated(sessionID=self.session.id, info=info))
            for part in parts:
                self.publish(PartUpdated(sessionID=self.session.id, part=part, time=now_ms()))

    def todos(self, todos: Sequence[Todo]) -> None:
        """Save and publish the todo list of the session."""
        self.submit("todos", agents.put_todos, self.session.id, todos)
        self.publish(TodoUpdated(sessionID=self.session.id, todos=list(todos)), "todos")

    def save_reply(self, ask: str, reply: ReplyWork) -> None:
        """Save a person's answer, which did not come by a line of the agent."""
        if self.transaction is not None and self.transaction.waits:
            # The ask may still wait in the transaction, and a reply cannot be saved before its
            # ask.
            self.transaction.submit(open_turns.put_reply, ask, reply)
        else:
            self._services.database.submit(open_turns.put_reply, ask, reply)

    def status(self, status: Status) -> None:
        """Publish the session's new status."""
        self._services.statuses.set(self.session, status)
        self.publish(SessionStatus(sessionID=self.session.id, status=status))

    def idle(self) -> None:
        """Publish that a turn is over."""
        self.status(Idle())
        self.publish(SessionIdle(sessionID=self.session.id))

    def error(self, failure: Failure) -> None:
        """Publish why a turn failed."""
        self.publish(SessionError(sessionID=self.session.id, error=failure))

    # Changes of the session, which are already saved.

    def publish_new(self) -> None:
        """Publish that the session was created."""
        self.publish(SessionCreated(sessionID=self.session.id, info=self.session))

    def publish_session(self, session: Session) -> None:
        """Publish the session's present value."""
        self.publish(SessionUpdated(sessionID=session.id, info=session))

    def publish_removal(self) -> None:
        """Publish that the session was removed."""
        self.publish(SessionDeleted(sessionID=self.session.id, info=self.session))

    def publish_gone(self, gone: Gone) -> None:
        """Publish that a message, or a part of the message, is gone."""
        where = {"sessionID": gone.session, "messageID": gone.message}
        if gone.part is None:
            self.publish(MessageRemoved(**where))
        else:
            self.publish(PartRemoved(**where, partID=gone.part))

    def remember_gone(self) -> None:
        """Note, without publishing it now, that the session was removed in an earlier epoch."""
        session = self.session
        gone = SessionDeleted(sessionID=session.id, info=session)
        event = event_of(gone, self.ids.ascending("evt"))
        self._services.publisher.remember(event, session.directory, session.projectID)


def _add(session: Session, tokens: TokenCounts, cost: float) -> None:
    total = session.tokens or TokenCounts.none()
    total.input += tokens.input
    total.output += tokens.output
    total.reasoning += tokens.reasoning
    total.cache.read += tokens.cache.read
    total.cache.write += tokens.cache.write
    session.tokens = total
    session.cost = (session.cost or 0) + cost
    session.time.updated = not_before(session.time.updated)
