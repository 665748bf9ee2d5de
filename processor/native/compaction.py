"""Compaction: in a long session, the model reads a summary instead of the messages before it.

A user message with a ``compaction`` part requests the summary; the answer to that message is the
summary. A client can make the request, or a turn whose history does not fit the model's context.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec import UNSET

from bus.bodies import ModelInput
from bus.events.catalogue import SessionCompacted
from bus.events.message import MessageTime, ModelRef, UserMessage
from bus.events.part import CompactionPart
from bus.events.session import Session
from processor.clock import now_ms
from processor.commands.edits import remove_hidden
from processor.engines.engine import ChatMessage, Engine, EngineRequest
from processor.native.conversation import chat
from processor.native.generated import Generated
from processor.native.record import Record, Services
from processor.native.room import MemoryRoom
from processor.native.turn import Turn
from processor.native.turns import Turns
from processor.store import sessions
from processor.store.sessions import UnknownSession

log = logging.getLogger("weir.processor")

_INSTRUCTIONS = (
    "You sum conversations up. Your summary takes the place of the conversation: whoever reads it "
    "goes on with the work and knows nothing else."
)
_REQUEST = (
    "Write a detailed summary of our conversation so far: what the user wants, what was done and "
    "found out, which files matter and how they were changed, what was decided, and what is to be "
    "done next. Do not call tools, and answer nothing that the conversation asks."
)
# The share of the model's context for the messages to summarise. It is larger than the share that
# a turn may use, so that the summary also covers messages that no longer fit a turn.
_SHARE = 0.9
MakeTurn = Callable[[Session, UserMessage, bool], Turn]


class _Summing(Generated):
    """An answer that is a summary.

    Args:
        turn: saves and publishes the summary.
        asked: the message that requests the summary.
        summed: the id of a prompt; the summary covers the messages before this prompt.
        engine: calls the model.
        services: the store, the publisher and the other objects of the processor.
        room: the limit on the memory that conversations take.
    """

    def __init__(
        self,
        turn: Turn,
        asked: UserMessage,
        summed: str,
        engine: Engine,
        services: Services,
        room: MemoryRoom,
    ) -> None:
        self._upto = summed
        super().__init__(turn, asked, engine, services.database, room)

    def _answer_in_steps(self) -> None:
        window = self._window(self._upto, before=True, share=_SHARE)
        with self._held:
            self._held.enter_context(self._room.of(window.size))
            said = chat(self._read(window))
            if said[0].role == "system":
                said = said[1:]
            said = [ChatMessage("system", _INSTRUCTIONS), *said, ChatMessage("user", _REQUEST)]
            self._stream(EngineRequest(self._prompt.model.modelID, said))

    def _end_turn(self) -> None:
        super()._end_turn()
        if self._reason is not None:
            record = self.turn.record
            record.publish(SessionCompacted(sessionID=record.session.id))


class Compactions:
    """Summarises sessions.

    Args:
        services: the store, the publisher and the other objects of the processor.
        turns: queues the turns of all sessions.
        engine: calls the model.
        room: the limit on the memory that conversations take.
        turn_of: makes the turn of a summary; its last argument says whether the summary is a step
            of another turn.
    """

    def __init__(
        self,
        services: Services,
        turns: Turns,
        engine: Engine,
        room: MemoryRoom,
        turn_of: MakeTurn,
    ) -> None:
        self._services = services
        self._turns = turns
        self._engine = engine
        self._room = room
        self._turn_of = turn_of
        self._queued: set[str] = set()

    def ask(self, session_id: str, model: ModelInput | None = None, auto: bool = False) -> str:
        """Queue the summary of a session; return the id of the message that requests it.

        First the messages that a revert has hidden are deleted, as before any new prompt.

        Args:
            session_id: the session to summarise.
            model: the model that writes the summary; None: the model of the session.
            auto: whether weir, not a person, requests the summary.

        Raises:
            UnknownSession: the session does not exist, or is being removed.
            CommandFailed: too many prompts wait.
        """
        services = self._services
        session = services.database.call(sessions.get, session_id)
        services.database.check_quota()
        if self._turns.is_closed(session_id):
            raise UnknownSession(session_id)
        with self._turns.place(session_id):
            session = remove_hidden(session, services)
            asked = self._ask(session, self._model(session, model), session.agent, auto)
            self._queued.add(asked.id)
            services.statuses.accept(session)
            self._turns.queue(session_id, asked.id)
        return asked.id

    def takes(self, prompt: UserMessage) -> bool:
        """Return whether a message is a request that `ask` has queued."""
        return prompt.id in self._queued

    def start(self, session: Session, prompt: UserMessage) -> Generated:
        """Start to write the summary that a message requests."""
        self._queued.discard(prompt.id)
        turn = self._turn_of(session, prompt, False)
        return self._summing(turn, prompt, prompt.id)

    def sum_up(self, session: Session, prompt: UserMessage) -> None:
        """Summarise the messages before a prompt, as a step of its turn; wait for the summary.

        If the summary fails, the turn continues: the model reads as much of the history as fits.
        """
        asked = self._ask(session, prompt.model, prompt.agent, True, tail=prompt.id)
        summing = self._summing(self._turn_of(session, asked, True), asked, prompt.id)
        try:
            summing.conclude()
        except BaseException:
            summing.abort()
            summing.conclude()
            raise

    def _summing(self, turn: Turn, asked: UserMessage, upto: str) -> Generated:
        return _Summing(turn, asked, upto, self._engine, self._services, self._room)

    def _ask(
        self,
        session: Session,
        model: ModelRef,
        agent: str | object,
        auto: bool,
        tail: str | None = None,
    ) -> UserMessage:
        ids, record = self._services.ids, Record(session, self._services)
        asked = UserMessage(
            id=ids.ascending("msg"),
            sessionID=session.id,
            time=MessageTime(now_ms()),
            agent=str(agent or "build"),
            model=model,
        )
        part = CompactionPart(
            id=ids.ascending("prt"), sessionID=session.id, messageID=asked.id, auto=auto
        )
        part.tail_start_id = tail or UNSET
        record.message(asked)
        record.part(part)
        return asked

    def _model(self, session: Session, given: ModelInput | None) -> ModelRef:
        offer = self._engine.offer
        if given is not None:
            return ModelRef(given.providerID, given.modelID)
        if session.model and session.model.providerID == offer.provider:
            return ModelRef(session.model.providerID, session.model.id)
        return ModelRef(offer.provider, offer.model)
