"""One turn: the events of an answer, in opencode's order.

Rules (`begin` comes first, and one of `finish`, `fail`, `abort` last):

1. ``begin``: status busy, then the assistant's message. For a turn that the last processor has
   left open, ``resume`` comes instead.
2. The first output opens the step. Consecutive output of one kind is one part: created empty, then
   deltas, then the whole part with its end.
3. ``finish``: the open part ends, the step ends, the message gets its tokens and reason, then its
   completion; once all of that is saved, status idle. ``recount`` may put in the tokens later.
   ``end_step`` ends the message alone; with ``begin`` the turn goes on in another message.
4. A tool call is a part of its own (`processor.native.tool_calls`); when it opens, the open part
   ends.
5. ``fail`` and ``abort``: the present parts and the message with its error are saved before the
   end is published. Then come the error, status idle, and only then these parts and this message;
   then idle again.
"""

from __future__ import annotations

import logging
from typing import Any

from gevent.event import AsyncResult
from msgspec import UNSET
from msgspec.structs import replace

from bus.events.message import (
    AssistantMessage,
    Failure,
    MessagePath,
    MessageTime,
    UserMessage,
)
from bus.events.part import (
    CacheTokens,
    Part,
    ReasoningPart,
    Span,
    StepFinishPart,
    StepStartPart,
    TextPart,
    TokenCounts,
    ToolPart,
)
from bus.events.session import Busy, Retry, Session
from processor.clock import not_before, now_ms
from processor.native.growth import Growth
from processor.native.record import NotSaved, Record
from processor.native.room import MemoryRoom
from processor.native.tool_calls import ToolCalls
from processor.store.failures import StoreFailed
from processor.store.open_turns import OpenTurn
from processor.store.sessions import UnknownSession

log = logging.getLogger("weir.processor")

Growing = TextPart | ReasoningPart


def aborted() -> Failure:
    """Return the error of a turn that a person has stopped."""
    return Failure("MessageAbortedError", {"message": "Aborted"})


class Turn:
    """The answer to one prompt, while it is made.

    Args:
        record: of the session.
        prompt: the message to answer.
        path: the folder the turn works in.
        room: for what the answer holds in memory.
        summary: the answer sums the session up, in place of the history so far.
        within: the answer is a step of another turn, which says when the session is idle.

    Attributes:
        record: as given.
        growth: counts the memory of the turn.
        calls: the tool calls of the turn.
    """

    def __init__(
        self,
        record: Record,
        prompt: UserMessage,
        path: MessagePath,
        room: MemoryRoom,
        summary: bool = False,
        within: bool = False,
    ) -> None:
        self.record = self._record = record
        self.growth = Growth(room)
        self.calls = ToolCalls(record, self._identity, self.growth, self._open_call)
        self._prompt, self._path, self._summary, self._within = prompt, path, summary, within
        self._answer = self._message()
        self._part: Growing | None = None
        self._step: StepFinishPart | None = None
        self._in_step = False
        self._retrying = False
        self._is_busy = False  # readers know that the session works

    @property
    def message(self) -> str:
        """Id of the message that holds the answer, or its last step so far."""
        return self._answer.id

    def work(self) -> None:
        """Publish that the session works, before `begin`."""
        self._is_busy = True
        self._record.status(Busy())

    def begin(self, anew: bool = False) -> None:
        """Say that the session works, and show the message of the answer, or of its next step."""
        if not self._is_busy:
            self._record.status(Busy())
        self._is_busy = False
        if anew or self._answer.time.completed is not UNSET:
            self._answer = self._message()
            self._step, self._in_step = None, False
        self._record.message(self._answer)

    def resume(self, left: OpenTurn) -> None:
        """Continue the answer of a turn that was left open."""
        assert left.answer is not None
        self._record.status(Busy())
        self._answer = left.answer
        for part in left.parts:
            texts = left.texts[part.id]
            self._in_step = True
            if isinstance(part, ToolPart):
                self.calls.resume(part, texts)
            elif isinstance(part, TextPart | ReasoningPart) and _grows(part):
                self.growth.resume(sum(map(len, texts)))
                self._record.drafts.resume(part.id, texts)
                self._part = part

    def text(self, *deltas: str) -> None:
        """Append to the answer.

        Raises:
            ModelError: the answer does not fit into the memory of all turns.
        """
        self._grow(TextPart, deltas)

    def reasoning(self, *deltas: str) -> None:
        """Append to the model's reasoning.

        Raises:
            ModelError: the answer does not fit into the memory of all turns.
        """
        self._grow(ReasoningPart, deltas)

    def retry(self, attempt: int, message: str, next_ms: int) -> None:
        """Publish that the model failed, and when it is called again (ms since the Unix epoch)."""
        self._retrying = True
        self._record.status(Retry(attempt=attempt, message=message, next=next_ms))

    def sign(self, signature: str) -> None:
        """Keep the provider's signature of the thought that has just come."""
        if isinstance(self._part, ReasoningPart):
            self._part = replace(self._part, metadata={"anthropic": {"signature": signature}})

    def wait_until_published(self) -> None:
        """Wait until the output so far is saved, if it must be, and published."""
        self._record.wait_until_published()

    def finish(self, reason: str, tokens: TokenCounts, cost: float = 0) -> None:
        """End the turn well; returns when it is saved and said. `cost` is in US dollars."""
        summed = self.end_step(reason, tokens, cost)
        self._settle()
        self._idle()
        if summed.value is not None:
            self._record.publish_session(summed.value)

    def end_step(self, reason: str, tokens: TokenCounts, cost: float = 0) -> AsyncResult[Session]:
        """End the message of a step; the result is the session once that is saved."""
        self.growth.give_back()
        self._open_step()
        self._end_part()
        for call in self.calls.close():
            self._record.part(call)
        self._step = self._step_finish(reason, tokens, cost)
        self._record.part(self._step)
        self._answer = replace(self._answer, tokens=tokens, cost=cost, finish=reason)
        self._record.message(self._answer)
        self._complete()
        self._record.message(self._answer)
        return self._record.account(tokens, cost)

    def recount(self, tokens: TokenCounts) -> None:
        """Add the tokens of a turn that has finished, if the provider sends them late."""
        if self._step is None:
            return
        try:
            difference = _difference(tokens, self._answer.tokens)
            session = self._record.account(difference).get()
        except (StoreFailed, UnknownSession) as error:
            log.warning("session %s: tokens are not counted: %s", self._answer.sessionID, error)
            return
        self._step = replace(self._step, tokens=tokens)
        self._record.part(self._step)
        self._answer = replace(self._answer, tokens=tokens)
        self._record.message(self._answer)
        if session is not None:
            self._record.publish_session(session)

    def fail(self, failure: Failure) -> None:
        """End the turn with an error; the output so far stays."""
        self.growth.give_back()
        part = self._whole_part()
        parts: list[Part] = [*self.calls.close(), *([] if part is None else [part])]
        self._complete(failure)
        self._record.save(*parts, self._answer)
        self._settle()
        if not self._within:
            self._record.error(failure)
        self._idle()
        for one in parts:
            self._record.publish_part(one)
        self._record.publish_message(self._answer)
        self._idle()

    def abort(self) -> None:
        """End the turn because a person has asked for it."""
        self.fail(aborted())

    def _grow(self, kind: type[Growing], deltas: tuple[str, ...]) -> None:
        self.growth.add(sum(map(len, deltas)))
        self._go_on()
        if type(self._part) is not kind:
            self._open_step()
            self._end_part()
            self._part = kind(**self._identity(), text="", time=Span(now_ms()))
            self._record.part(self._part)
        assert self._part is not None
        self._record.deltas(self._part, deltas)

    def _go_on(self) -> None:
        if self._retrying:
            self._retrying = False
            self._record.status(Busy())

    def _open_call(self) -> None:
        """Prepare for a tool call: the parts of a message are in the order of their ids."""
        self._go_on()
        self._open_step()
        self._end_part()

    def _open_step(self) -> None:
        if not self._in_step:
            self._in_step = True
            self._record.part(StepStartPart(**self._identity()))

    def _end_part(self) -> None:
        part = self._whole_part()
        if part is not None:
            self._record.part(part)

    def _whole_part(self) -> Growing | None:
        """Return the open part with its text and its end, and close it."""
        part, self._part = self._part, None
        if part is None:
            return None
        start = now_ms() if part.time is UNSET else part.time.start
        return replace(part, text=self._record.close(part), time=Span(start, not_before(start)))

    def _step_finish(self, reason: str, tokens: TokenCounts, cost: float) -> StepFinishPart:
        return StepFinishPart(**self._identity(), reason=reason, cost=cost, tokens=tokens)

    def _complete(self, failure: Failure | None = None) -> None:
        created = self._answer.time.created
        time = MessageTime(created, not_before(created))
        error = UNSET if failure is None else failure
        self._answer = replace(self._answer, time=time, error=error)

    def _idle(self) -> None:
        if not self._within:
            self._record.idle()

    def _message(self) -> AssistantMessage:
        prompt, mode = self._prompt, "compaction" if self._summary else self._prompt.agent
        return AssistantMessage(
            id=self._record.ids.ascending("msg"),
            sessionID=prompt.sessionID,
            time=MessageTime(now_ms()),
            parentID=prompt.id,
            modelID=prompt.model.modelID,
            providerID=prompt.model.providerID,
            mode=mode,
            agent=mode,
            path=self._path,
            summary=self._summary or UNSET,
            cost=0,
            tokens=TokenCounts.none(),
        )

    def _identity(self) -> dict[str, Any]:
        return {
            "id": self._record.ids.ascending("prt"),
            "sessionID": self._answer.sessionID,
            "messageID": self._answer.id,
        }

    def _settle(self) -> None:
        try:
            self._record.settle()
        except NotSaved as error:
            log.error("session %s: the answer is not saved: %s", self._answer.sessionID, error)
            self._record.publish_stored(self._answer.id)
            message = f"the answer could not be saved: {error}"
            self._record.error(Failure("UnknownError", {"message": message}))


def _grows(part: Growing) -> bool:
    return part.time is UNSET or part.time.end is UNSET


def _difference(now: TokenCounts, before: TokenCounts) -> TokenCounts:
    cache = CacheTokens(now.cache.read - before.cache.read, now.cache.write - before.cache.write)
    return TokenCounts(
        input=now.input - before.input,
        output=now.output - before.output,
        reasoning=now.reasoning - before.reasoning,
        cache=cache,
    )
