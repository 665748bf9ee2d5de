"""One turn, which answers one prompt: it publishes the events of the answer in opencode's order.

Rules (call `begin` first, and one of `finish`, `fail`, `abort` last):

1. ``begin`` publishes status busy, then the assistant's message. For a turn that was unfinished
   when the processor was restarted, ``resume`` is called instead of ``begin``.
2. A step is one call of the model, and has a message of its own. The first output opens the step.
   Consecutive output of one kind (text or reasoning) is one part: published empty, then deltas,
   then the whole part with its end time.
3. ``finish`` publishes the whole part, the end of the step, the message with its tokens and
   reason, and the message with its end time. Once all of these are saved, status idle follows.
   ``recount`` corrects tokens that the provider sends later. ``end_step`` ends only the message;
   the next ``begin`` continues the turn in another message.
4. A tool call is a part of its own (`processor.native.tool_calls`). A new call ends the part that
   grows.
5. ``fail`` and ``abort`` save the unfinished parts and the message with its error. Then they
   publish the error, status idle, these parts, this message, and status idle again.
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
    """The answer to one prompt while a model or an external agent writes the answer.

    Args:
        record: saves and publishes the changes of the session.
        prompt: the message to answer.
        path: the session's directory and its work tree, which the messages of the answer name.
        room: the limit on the memory that answers take.
        summary: whether the answer is a summary of the session.
        within: whether the answer is a step of another turn; only the other turn publishes the
            end of the work.

    Attributes:
        record: saves and publishes the changes of the session.
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
        self._is_busy = False  # whether `work` has published status busy

    @property
    def message(self) -> str:
        """The id of the present message; each step of the turn has a message of its own."""
        return self._answer.id

    def work(self) -> None:
        """Publish status busy before `begin`, for a turn that may first wait for a summary."""
        self._is_busy = True
        self._record.status(Busy())

    def begin(self, anew: bool = False) -> None:
        """Publish status busy, and the empty message of the answer or of the next step.

        `anew`: make a new message, whose id sorts after messages that were made meanwhile.
        """
        if not self._is_busy:
            self._record.status(Busy())
        self._is_busy = False
        if anew or self._answer.time.completed is not UNSET:
            self._answer = self._message()
            self._step, self._in_step = None, False
        self._record.message(self._answer)

    def resume(self, left: OpenTurn) -> None:
        """Continue an unfinished answer that the last processor has saved; publish status busy."""
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
        """Append text to the answer.

        Raises:
            ModelError: the answer does not fit into the memory of all turns.
        """
        self._grow(TextPart, deltas)

    def reasoning(self, *deltas: str) -> None:
        """Append text to the model's reasoning.

        Raises:
            ModelError: the answer does not fit into the memory of all turns.
        """
        self._grow(ReasoningPart, deltas)

    def retry(self, attempt: int, message: str, next_ms: int) -> None:
        """Publish that a request to the model failed, and that a new attempt follows.

        `next_ms` is the time of the new attempt, in milliseconds since the Unix epoch.
        """
        self._retrying = True
        self._record.status(Retry(attempt=attempt, message=message, next=next_ms))

    def sign(self, signature: str) -> None:
        """End the last reasoning with the provider's signature, which must be sent back with it.

        Reasoning that follows is a part of its own, since it has a signature of its own.
        """
        if isinstance(self._part, ReasoningPart):
            self._part = replace(self._part, metadata={"anthropic": {"signature": signature}})
            self._end_part()

    def redacted(self, data: str) -> None:
        """Keep reasoning that the provider has encrypted: it must be sent back as it is.

        Raises:
            ModelError: the answer does not fit into the memory of all turns.
        """
        self.growth.add(len(data))
        self._open_call()
        now = now_ms()
        metadata = {"anthropic": {"redactedData": data}}
        identity, time = self._identity(), Span(now, now)
        self._record.part(ReasoningPart(**identity, text="", time=time, metadata=metadata))

    def wait_until_published(self) -> None:
        """Wait until all output so far is published, and the writes it waits for are saved."""
        self._record.wait_until_published()

    def finish(self, reason: str, tokens: TokenCounts, cost: float = 0) -> None:
        """End the turn normally; return when the answer is saved and its end published.

        Args:
            reason: why the model stopped, such as ``stop`` or ``length``.
            tokens: the tokens that the step used.
            cost: the cost in US dollars.
        """
        summed = self.end_step(reason, tokens, cost)
        self._settle()
        self._idle()
        if summed.value is not None:
            self._record.publish_session(summed.value)

    def end_step(self, reason: str, tokens: TokenCounts, cost: float = 0) -> AsyncResult[Session]:
        """End the message of a step; arguments as in `finish`.

        The result is the session with the new sums of tokens and cost, when it is saved.
        """
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
        """Correct the tokens of a turn after `finish`; some providers send the counts late."""
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
        """End the turn with an error; readers keep the output so far."""
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
        """End the turn with the error that says that a person has stopped it."""
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
        """End the part that grows before another part gets its id: parts sort by their ids."""
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
        """Close the part that grows; return it with its whole text and its end time, or None."""
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
