"""Saves the changes of one session, and publishes each change after it is saved.

A published event cannot be taken back. So the event of an entity (a session, message or part) is
published only after the database has committed the entity, and the deltas of a part only after the
part is saved. The caller does not wait for the database. Later events of the session queue behind
an event that waits for its write, because the events of a session must keep their order.

When a model answers, each write is submitted on its own; if the processor is killed, the last
deltas may be lost. When an external agent answers, the writes go into a `Transaction`: the changes
that a line (one message of the agent) makes are committed together with the line's number, and the
deltas are published after that. An agent sends lines again that weir has not acknowledged; by its
number, weir knows which lines are already saved.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import gevent
from gevent.event import AsyncResult
from msgspec import Struct, field

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
from processor.folders import Folders
from processor.native.statuses import LiveStatuses
from processor.store import agents, chunks, messages, open_turns, sessions
from processor.store.database import Database
from processor.store.drafts import Drafts
from processor.store.failures import StoreFailed
from processor.store.removals import Gone
from processor.store.transaction import Transaction, commit
from processor.tools.spool import Spool

Write: TypeAlias = "AsyncResult[Any]"


class NotSaved(Exception):
    """The database could not save a change; the message says why."""


class Services(Struct):
    """The objects of a processor that its records share.

    Attributes:
        database: the store.
        drafts: the text of parts that are still growing, until it is saved.
        publisher: sends the events.
        ids: makes new ids.
        statuses: the sessions that work now.
        outputs: the files with the long outputs of tools.
        folders: looks up folders and files for clients.
    """

    database: Database
    drafts: Drafts
    publisher: Publisher
    ids: Ids
    statuses: LiveStatuses
    outputs: Spool
    folders: Folders = field(default_factory=Folders)


class Record:
    """Saves and publishes the changes of one session.

    Args:
        session: the session in its present form.
        services: the store, the publisher and the other objects of the processor.

    Attributes:
        session: the session in its form when the record was made.
        ids: makes the ids of messages and parts.
        drafts: the text of parts that are still growing.
        outputs: the files with the long outputs of tools.
        transaction: collects writes until `settle` or `processor.store.transaction.commit` saves
            them together; None: each write is saved on its own.
    """

    def __init__(self, session: Session, services: Services) -> None:
        self.session = session
        self.ids = services.ids
        self.drafts = services.drafts
        self.outputs = services.outputs
        self.transaction: Transaction | None = None
        self._services = services
        self._store: Database | Transaction = services.database
        self._waiting: deque[tuple[Write | None, Callable[[], None]]] = deque()
        self._writes: dict[str, Write] = {}

    # Methods that save.

    def gather(self) -> None:
        """From now on, collect writes in a transaction; `settle` saves them together."""
        self._store = self.transaction = Transaction()
        submit = self.transaction.submit
        self.drafts = Drafts(lambda pending: submit(chunks.append, pending))

    def submit(self, entity: str, work: Callable[..., Any], *args: Any) -> Write:
        """Submit a write to the store, without waiting for it.

        Args:
            entity: the id of what is written; `publish` with this id waits for the write.
            work: the function that writes; its first argument is the database connection.
            *args: the other arguments of `work`.
        """
        write: Write = self._store.submit(work, *args)
        self._writes[entity] = write
        return write

    def save(self, *entities: Message | Part) -> None:
        """Submit messages and parts to the store, in the order of the arguments."""
        for entity in entities:
            is_message = isinstance(entity, UserMessage | AssistantMessage)
            put: Any = messages.put if is_message else messages.put_part
            self.submit(entity.id, put, entity)

    def account(self, tokens: TokenCounts, cost: float = 0) -> AsyncResult[Session]:
        """Add tokens, and a cost in US dollars, to the session; the result is the new session."""
        change = partial(_add, tokens=tokens, cost=cost)
        return self.submit(self.session.id, sessions.update, self.session.id, change)

    def settle(self) -> None:
        """Wait until all submitted writes are saved.

        Raises:
            NotSaved: the last write of one of the entities failed.
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

    # Methods that publish.

    def publish(self, properties: Properties, entity: str | None = None) -> None:
        """Publish an event, but only after the last submitted write of `entity` is saved.

        `entity` is the id of an entity; None: the event waits for no write.
        """
        write = None if entity is None else self._writes.get(entity)
        self._put(partial(self._publish, properties), write)

    @property
    def is_behind(self) -> bool:
        """Whether there are events that wait until the store has saved their writes."""
        return bool(self._waiting)

    def wait_until_published(self) -> None:
        """Wait until no event of this record waits for the store: all are with the publisher."""
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
        """Call `publish` after all waiting events and after `write`; never if `write` fails."""
        if not self._waiting and (write is None or write.successful()):
            publish()
            return
        self._waiting.append((write, publish))
        # The commit of a transaction releases many events at once. `wait_until_published` sends
        # these in time slices, so that other greenlets can run; so no callback sends them here.
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

    # Methods for changes in a turn.

    def message(self, info: Message) -> None:
        """Save and publish a new or changed message."""
        self.save(info)
        self.publish_message(info)

    def part(self, part: Part) -> None:
        """Save and publish a new or changed part."""
        self.save(part)
        self.publish_part(part)

    def deltas(self, part: TextPart | ReasoningPart, deltas: Sequence[str]) -> None:
        """Append text to a growing part and publish it; the next flush of `drafts` saves it."""
        self.drafts.add(part.id, deltas)
        own = self.transaction
        write = self._writes.get(part.id) if own is None else own.saved
        self._put(partial(self._publish_deltas, part, deltas), write)

    def close(self, part: TextPart | ReasoningPart) -> str:
        """Forget the draft of a part that no longer grows; return the part's whole text."""
        return self.drafts.close(part.id)

    def publish_message(self, info: Message) -> None:
        """Publish a message after its last submitted write is saved."""
        self.publish(MessageUpdated(sessionID=self.session.id, info=info), info.id)

    def publish_part(self, part: Part) -> None:
        """Publish a part after its last submitted write is saved."""
        updated = PartUpdated(sessionID=self.session.id, part=part, time=now_ms())
        self.publish(updated, part.id)

    def publish_stored(self, message: str) -> None:
        """Publish a message and its parts as the store has them, after a write has failed.

        Readers may have text that was never saved; these events replace it. A message that is not
        stored was never published, so nothing is sent for it.
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
        """Save a person's answer to an ask (a permission or question) of an external agent."""
        if self.transaction is not None and self.transaction.waits:
            # The transaction may contain the ask itself. The answer refers to the ask's row, so it
            # cannot be saved before the ask.
            self.transaction.submit(open_turns.put_reply, ask, reply)
        else:
            self._services.database.submit(open_turns.put_reply, ask, reply)

    def status(self, status: Status) -> None:
        """Set and publish the session's status: busy, retry or idle."""
        self._services.statuses.set(self.session, status)
        self.publish(SessionStatus(sessionID=self.session.id, status=status))

    def idle(self) -> None:
        """Publish that a turn is over: status idle, and the event ``session.idle``.

        If another prompt of the session waits, the session stays busy, and nothing is published.
        """
        if self._services.statuses.waits(self.session.id):
            return
        self.status(Idle())
        self.publish(SessionIdle(sessionID=self.session.id))

    def error(self, failure: Failure) -> None:
        """Publish why a turn failed."""
        self.publish(SessionError(sessionID=self.session.id, error=failure))

    # Methods that publish changes of the session which the caller has already saved.

    def publish_new(self) -> None:
        """Publish that the session was created."""
        self.publish(SessionCreated(sessionID=self.session.id, info=self.session))

    def publish_session(self, session: Session) -> None:
        """Publish the whole session as it is now."""
        self.publish(SessionUpdated(sessionID=session.id, info=session))

    def publish_removal(self) -> None:
        """Publish that the session was removed."""
        self.publish(SessionDeleted(sessionID=self.session.id, info=self.session))

    def publish_gone(self, gone: Gone) -> None:
        """Publish that a message was removed, or one part of a message."""
        where = {"sessionID": gone.session, "messageID": gone.message}
        if gone.part is None:
            self.publish(MessageRemoved(**where))
        else:
            self.publish(PartRemoved(**where, partID=gone.part))

    def remember_gone(self) -> None:
        """Enter into the ledger that the session was removed by an earlier processor.

        Nothing is published now. The ledger is the state that a reader gets when it connects
        again; a reader that still shows the session then removes it.
        """
        session = self.session
        gone = SessionDeleted(sessionID=session.id, info=session)
        event = event_of(gone, self.ids.ascending("evt"))
        self._services.publisher.remember(event, session.directory, session.projectID)


def end_work(services: Services, session: str) -> None:
    """Publish that a session is idle, if it is not idle yet and none of its prompts waits."""
    if (working := services.statuses.working(session)) is not None:
        Record(working, services).idle()


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
