"""Calls a model and publishes its answer, in a greenlet that can be killed at any time."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterable
from typing import Any

import gevent

from bus.agent_lines import BUILT_IN
from bus.events.message import Failure, UserMessage
from bus.events.part import TokenCounts
from bus.events.session import Session
from bus.process.fairness import TURN_SLICE_S, TimeSlice
from processor.engines.engine import (
    CallBegun,
    CallWhole,
    ChatMessage,
    Chunk,
    Engine,
    EngineRequest,
    Finish,
    ModelError,
    ReasoningPiece,
    RedactedThought,
    RetryNotice,
    Text,
    ThoughtSignature,
    TokenUsage,
    ToolOffer,
)
from processor.native.answer import Answer
from processor.native.bounds import MAX_STEPS, TURN_MEMORY
from processor.native.conversation import chat
from processor.native.images import load_images
from processor.native.modes import AgentMode, instructions
from processor.native.permissions import (
    BadPermissions,
    CallRules,
    Rules,
    of_session,
    of_switches,
)
from processor.native.room import MemoryRoom
from processor.native.step_calls import StepCalls
from processor.native.tool_run import Toolbox
from processor.native.turn import Turn
from processor.store import history
from processor.store.database import Database
from processor.store.failures import StoreFailed
from processor.store.history import Utterance, Window

log = logging.getLogger("weir.processor")

_CALLS = "tool-calls"
_SHARE = 0.75
"""The share of the model's context for the history; the rest is for the tools and the answer."""


class Generated(Answer):
    """A model's answer to a prompt, in steps: after each round of tool calls, one more step.

    Some providers send the token counts late. Then the greenlet goes on after the turn has ended,
    and adds the counts.

    Args:
        turn: saves and publishes the output.
        prompt: the prompt to answer.
        engine: calls the model.
        database: contains the conversation.
        room: the limit on the memory that conversations take.
        box: the tools that the model may call; None: the model gets no tools.
        sum_up: summarises the messages before the prompt; called if not all of them fit the
            model's context. None: the answer begins at once.
    """

    def __init__(
        self,
        turn: Turn,
        prompt: UserMessage,
        engine: Engine,
        database: Database,
        room: MemoryRoom,
        box: Toolbox | None = None,
        sum_up: Callable[[Session, UserMessage], None] | None = None,
    ) -> None:
        super().__init__(turn)
        self._prompt = prompt
        self._engine = engine
        self._database = database
        self._room = room
        self._box = box
        self._rules = _rules(box, prompt, turn.record.session)
        self._calls: StepCalls | None = None
        self._held = contextlib.ExitStack()  # gives the conversation's memory back
        self._sum_up = sum_up
        if sum_up is None:
            turn.begin()
        else:
            turn.work()
        self._work = gevent.spawn(self._run)
        self._work.rawlink(lambda _: self._ending.set())

    def abort(self) -> None:
        """Kill the greenlet at once, whatever the engine is doing; does not block."""
        self._work.kill(block=False)

    def _run(self) -> None:
        try:
            self._answer_in_steps()
        except ModelError as error:
            self._fail(str(error), error.failure)
        except StoreFailed as error:
            message = f"the store failed: {error}"
            self._fail(message, Failure("UnknownError", {"message": message}))
        except Exception:
            log.exception("session %s: the turn failed", self._prompt.sessionID)
            message = "the processor failed; its log says why"
            self._failure = Failure("UnknownError", {"message": message})

    def _fail(self, message: str, failure: Failure) -> None:
        """Note why the turn failed; do nothing if the answer is already complete."""
        if self._reason is None:
            log.warning("session %s: %s", self._prompt.sessionID, message)
            self._failure = failure

    def _answer_in_steps(self) -> None:
        self._make_room()
        self._read_and_stream()
        if self._box is None:
            return
        for _ in range(1, self._box.most_steps):
            if self._calls is None or not self._calls.are_there:
                return
            if not self._calls.run():
                self._reason = _CALLS
                return
            self.turn.end_step(_CALLS, self.tokens)
            self.tokens = TokenCounts.none()
            self.turn.begin()
            self._read_and_stream()
        if self._calls is not None and self._calls.are_there:
            raise _too_many_steps(self._box.most_steps)

    def _make_room(self) -> None:
        """Begin the answer; first summarise the messages before the prompt if they do not fit."""
        if self._sum_up is None:
            return
        window = self._window(self._prompt.id)
        sums_up = window.is_cut and window.older > 0
        if sums_up:
            self._sum_up(self.turn.record.session, self._prompt)
        self.turn.begin(anew=sums_up)

    def _read_and_stream(self) -> None:
        """Wait until there is memory for the conversation, read it, and stream the answer."""
        window = self._window(self._prompt.id)
        with self._held:
            self._held.enter_context(self._room.of(window.size))
            said = chat(self._read(window), self._engine.offer.signs_thoughts)
            self._stream(self._request(said))

    def _window(self, prompt: str, before: bool = False, share: float = _SHARE) -> Window:
        """Return which messages the model reads: the latest ones up to a prompt.

        Args:
            prompt: the id of the last prompt to include.
            before: leave out this prompt.
            share: the share of the model's context that the messages may fill.

        Raises:
            ModelError: the messages do not fit the memory that ``--turn-memory`` allows.
        """
        session = self._prompt.sessionID
        most = int(self._engine.offer.context * history.BYTES_PER_TOKEN * share)
        window = self._database.call(history.window, session, prompt, most, before)
        if window.size > self._room.size:
            raise _too_long(window.size, self._room.size)
        return window

    def _read(self, window: Window) -> list[Utterance]:
        said = self._database.call(history.load, window)
        load_images(said, self.turn.record.outputs)
        return said

    def _request(self, said: list[ChatMessage]) -> EngineRequest:
        model = self._prompt.model.modelID
        if self._box is None:
            return EngineRequest(model, said)
        box = self._box.in_directory(self.turn.record.session.directory)
        self._calls = StepCalls(self.turn, box, self._rules)
        offers = [
            ToolOffer(tool.name, tool.description, tool.parameters)
            for tool in box.tools.values()
            if not self._rules.switch_off(tool.name)
        ]
        words = instructions(self._mode, self.turn.record.session.directory)
        if said[0].role == "system":
            said = [ChatMessage("system", f"{words}\n\n{said[0].content}"), *said[1:]]
        elif offers:
            said = [ChatMessage("system", words), *said]
        return EngineRequest(model, said, offers)

    @property
    def _mode(self) -> AgentMode:
        assert self._box is not None
        return self._box.modes.get(self._prompt.agent) or self._box.modes[BUILT_IN]

    def _stream(self, request: EngineRequest) -> None:
        hold = TimeSlice(TURN_SLICE_S)
        with contextlib.closing(self._engine.stream(request)) as stream:
            for chunks in stream:
                self._say(chunks)
                # If the store is slow, stop reading from the model, so that memory does not grow.
                self.turn.wait_until_published()
                hold.pass_on_if_over()
                if self._calls is not None and self._calls.are_whole:
                    return

    def _say(self, chunks: list[Chunk]) -> None:
        for kind, run in itertools.groupby(chunks, type):
            if kind is Text:
                self.turn.text(*_texts(run))
            elif kind is ReasoningPiece:
                self.turn.reasoning(*_texts(run))
            else:
                for chunk in run:
                    self._note(chunk)

    def _note(self, chunk: Chunk) -> None:
        if isinstance(chunk, RetryNotice):
            self.turn.retry(chunk.attempt, chunk.message, chunk.next_ms)
        elif isinstance(chunk, ThoughtSignature):
            self.turn.sign(chunk.signature)
        elif isinstance(chunk, RedactedThought):
            self.turn.redacted(chunk.data)
        elif isinstance(chunk, CallBegun | CallWhole | Finish) and self._calls is not None:
            self._calls.take(chunk)
            if isinstance(chunk, Finish) and not self._calls.are_there:
                self._finish(chunk)
        elif isinstance(chunk, Finish):
            self._finish(chunk)
        elif isinstance(chunk, TokenUsage):
            if self._reason is not None:
                self._concluded.wait()
                self.turn.recount(chunk.tokens)
            self.tokens = chunk.tokens

    def _finish(self, chunk: Finish) -> None:
        self._reason = chunk.reason
        self._held.close()
        self._ending.set()


def _rules(box: Toolbox | None, prompt: UserMessage, session: Session) -> CallRules:
    """Return the permissions of a turn's tool calls; the last rule that matches a call counts."""
    if box is None:
        return CallRules()
    mode = box.modes.get(prompt.agent) or box.modes[BUILT_IN]
    try:
        of_its_own: Rules = of_session(session.permission or None)
    except BadPermissions:  # an older weir stored the session without a check of its rules
        of_its_own = ()
    own = [*mode.rules, *of_its_own, *of_switches(prompt.tools or {}), *mode.final]
    return CallRules(own, box.children.limits(prompt.id))


def _too_long(size: int, most: int) -> ModelError:
    message = (
        f"the conversation is {size} bytes long; --{TURN_MEMORY.name} allows {most}: "
        "begin another session"
    )
    return ModelError(Failure("ContextOverflowError", {"message": message}))


def _too_many_steps(most: int) -> ModelError:
    message = (
        f"the model has called tools in {most} steps, as many as --{MAX_STEPS.name} allows; "
        "send another prompt to go on"
    )
    return ModelError(Failure("UnknownError", {"message": message}))


def _texts(chunks: Iterable[Any]) -> list[str]:
    return [chunk.text for chunk in chunks]
