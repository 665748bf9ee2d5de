"""One turn: what an agent does to answer one prompt (text, reasoning, tool calls, questions)."""

from __future__ import annotations

import asyncio
import itertools
import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from bus import agent_lines as wire
from bus.events.session import Option, Question
from weir.errors import Aborted, Refused, WeirError, described
from weir.line_parts import Todo, line_texts, todo_input
from weir.outbox import Outbox
from weir.tool_call import ToolCall

if TYPE_CHECKING:
    from weir.session import Message, Session

Reply = Literal["once", "always", "reject"]


class Turn(AbstractContextManager["Turn"], AbstractAsyncContextManager["Turn"]):
    """A turn of this agent: its methods publish what the agent does.

    Every method may be called from any thread. Each call is sent to weir as a JSON line, in the
    background and in order; a call blocks only while weir has not saved the last 1 MiB of lines.
    Methods raise `Aborted` once the turn was stopped, and `Refused` after weir refused a line.

    At the end of a ``with`` block, the turn ends too: as a success, or with the exception that
    the block raised.

    Attributes:
        session: the session of the turn.
        name: the id of the turn. If a person's prompt began the turn, it is the id of the message
            of that prompt.
        files: how many files came with the prompt; `session.message(name)` returns them.
        system: the system instructions that came with the prompt; empty if there are none.
        aborted: an event that is set once the turn was stopped.
        begun_at: when weir accepted the turn (`time.monotonic`); infinite before.
        ended: whether this process has ended the turn.
    """

    def __init__(
        self, session: Session, name: str, outbox: Outbox, prompt: str | None, begun: bool
    ) -> None:
        self.session = session
        self.name = name
        self.aborted = threading.Event()
        self._outbox = outbox
        self._prompt = prompt
        self._why = ""
        self._refusals: list[str] = []
        self._replies: dict[str, _Reply] = {}
        self._names = itertools.count(1)
        self._on_abort: list[Any] = []
        self.files, self.system = 0, ""
        self.begun_at = time.monotonic() if begun else math.inf
        self.ended = False

    @property
    def prompt(self) -> str:
        """The text of the prompt that this turn answers; a long text is fetched from weir."""
        if self._prompt is None:
            from weir.session import text_of

            self._prompt = text_of(self.session.message(self.name)["parts"])
        return self._prompt

    def messages(self) -> list[Message]:
        """Return the messages up to the prompt, as the API of a chat model takes them."""
        return self.session.messages(self.name)

    # Methods that publish output.

    def text(self, *deltas: str) -> None:
        """Append texts to the answer."""
        for some, size in line_texts(deltas):
            self._put(wire.TextLine(turn=self.name, text=some), size)

    def reasoning(self, *deltas: str) -> None:
        """Append texts to the reasoning, which clients show apart from the answer."""
        for some, size in line_texts(deltas):
            self._put(wire.ReasoningLine(turn=self.name, text=some), size)

    def tool(self, tool: str, /, *, title: str = "", **arguments: Any) -> ToolCall:
        """Publish that a tool call begins, and return the call; the agent itself runs the tool.

        Args:
            tool: the name of the tool.
            title: the title that clients show for the call.
            arguments: the arguments of the tool, which clients show.
        """
        name = f"call_{next(self._names)}"
        line = wire.ToolLine(
            turn=self.name, call=name, tool=tool, input=arguments, title=title or None
        )
        self._put(line, 256)
        return ToolCall(name, self._put, self.name)

    def todo(self, todos: Iterable[Todo]) -> None:
        """Replace the todo list of the session.

        Args:
            todos: a pair of text and status for each entry, or a mapping with ``content``,
                ``status`` and ``priority``. A status is ``pending``, ``in_progress``,
                ``completed`` or ``cancelled``; ``todo``, ``doing`` and ``done`` may be used for
                the first three.
        """
        made = [todo_input(one) for one in todos]
        self._put(wire.TodosLine(turn=self.name, todos=made), 128 * (len(made) + 1))

    def usage(
        self,
        *,
        input: int = 0,
        output: int = 0,
        reasoning: int = 0,
        cache_read: int = 0,
        cache_write: int = 0,
        cost: float = 0.0,
    ) -> None:
        """Set how many tokens the whole turn has used so far, and its cost in US dollars."""
        self._put(
            wire.UsageLine(
                turn=self.name,
                input=input,
                output=output,
                reasoning=reasoning,
                cache_read=cache_read,
                cache_write=cache_write,
                cost=cost,
            ),
            128,
        )

    def retry(self, attempt: int, message: str, seconds: float = 0.0) -> None:
        """Publish that a call of the model failed, so that clients show why the turn pauses.

        Args:
            attempt: how often the model was called so far.
            message: the error of the model.
            seconds: after how many seconds the agent calls the model again.
        """
        self._put(
            wire.RetryLine(turn=self.name, attempt=attempt, message=message, seconds=seconds), 256
        )

    def deadline(self, seconds: float) -> None:
        """Have weir end the turn with an error if the turn still runs in `seconds` from now."""
        self._put(wire.DeadlineLine(turn=self.name, seconds=seconds), 64)

    # Methods that ask a person, and wait for the answer.

    def ask(
        self,
        permission: str,
        *patterns: str,
        call: ToolCall | None = None,
        always: Sequence[str] = (),
        timeout_s: float | None = None,
        **metadata: Any,
    ) -> Reply:
        """Ask people for a permission; return ``once``, ``always`` or ``reject``.

        Args:
            permission: the kind of action, for example ``bash`` or ``edit``.
            patterns: what the action is applied to, for example the command or the file.
            call: the tool call that needs the permission.
            always: the patterns for which the answer ``always`` will hold.
            timeout_s: how long to wait for an answer; None: without a limit.
            metadata: details of the action, which clients show.

        Raises:
            TimeoutError: no person has answered within `timeout_s`.
            Aborted: the turn was stopped before an answer came.
        """
        name = f"ask_{next(self._names)}"
        line = wire.PermissionLine(
            turn=self.name,
            ask=name,
            permission=permission,
            patterns=list(patterns),
            always=list(always),
            metadata=metadata,
            call=None if call is None else call.name,
        )
        return self._asked(line, timeout_s)["reply"]  # type: ignore[no-any-return]

    def question(
        self,
        question: str,
        options: Sequence[str] = (),
        *,
        header: str = "",
        multiple: bool = False,
        timeout_s: float | None = None,
    ) -> list[str] | None:
        """Ask people a question; return the chosen options, or None if the question is dismissed.

        Args:
            question: the text of the question.
            options: the answers that a person can choose from.
            header: a short title; default: the first 30 characters of the question.
            multiple: whether a person may choose several options.
            timeout_s: how long to wait for an answer; None: without a limit.

        Raises:
            TimeoutError: no person has answered within `timeout_s`.
            Aborted: the turn was stopped before an answer came.
        """
        asked = Question(
            question,
            header or question[:30],
            [Option(label, "") for label in options],
            multiple,
        )
        name = f"ask_{next(self._names)}"
        line = wire.QuestionsLine(turn=self.name, ask=name, questions=[asked])
        said = self._asked(line, timeout_s)
        return None if said["reply"] == "reject" else list(said["answers"][0])

    # Methods that begin and end the turn.

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until weir has saved all output that was published so far.

        Raises:
            Refused: weir has refused a part of the output.
            Unreachable: weir has not saved the output within `timeout_s`.
        """
        self._outbox.wait(self._outbox.seq, timeout_s)
        self._check()

    def end(self, reason: str = "stop") -> None:
        """End the turn as a success, and wait until weir has saved that it ended."""
        self._last(wire.EndLine(turn=self.name, reason=reason))

    def fail(self, message: str, name: str = "UnknownError") -> None:
        """End the turn with an error, and wait until weir has saved the end.

        The output so far stays.

        Args:
            message: the error that clients show.
            name: the class of the error in opencode's API.
        """
        self._last(wire.FailLine(turn=self.name, message=message, name=name))

    def __enter__(self) -> Self:
        """Begin the turn, unless a prompt has begun it, and wait until weir has accepted it."""
        if self.begun_at == math.inf:
            line = wire.BeginLine(turn=self.name, session=self.session.id, prompt=self.prompt)
            self._put(line, len(self.prompt))
            self._outbox.wait(self._outbox.seq)
            self._check()
            self.begun_at = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the turn; an exception of the block becomes the turn's error, and is raised further.

        If it is a `WeirError`, the turn is ended only if weir has not stopped it already.
        """
        if self.ended:
            return
        if error is None:
            self.end()
        elif not isinstance(error, WeirError):
            try:
                self.fail(described(error))
            except WeirError as other:
                error.add_note(f"weir has not saved that this exception ended the turn: {other}")
        elif not self.aborted.is_set():
            self._refusals.clear()
            try:
                self.fail(str(error))
            except WeirError:
                return  # the exception of the block is raised, and it says more than this error

    async def __aenter__(self) -> Self:
        """Begin the turn as `__enter__` does, without blocking the event loop."""
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the turn as `__exit__` does, without blocking the event loop."""
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    # Methods that this package calls when weir sends something about the turn.

    def refused(self, message: str, over: bool) -> None:
        """Note that weir has refused a line of the turn; the next method call raises `Refused`.

        If `over` is set, weir refuses all further lines too, and a turn that has begun is stopped.
        """
        if over and self.begun_at < math.inf:
            self.stop(message)
        else:
            self._refusals.append(message)

    def stop(self, why: str) -> None:
        """Note that a person or weir has stopped the turn, and wake threads that wait in it."""
        if self.ended or self.aborted.is_set():
            return
        self._why = why
        self.aborted.set()
        for reply in list(self._replies.values()):
            reply.event.set()
        for call in self._on_abort:
            call()

    def on_abort(self, call: Any) -> None:
        """Register a function that is called when the turn is stopped, at once if it is already.

        The function is called in the thread that receives messages from weir.
        """
        self._on_abort.append(call)
        if self.aborted.is_set():
            call()

    def replied(self, work: Mapping[str, Any]) -> None:
        """Pass a person's answer to the thread that asked for it."""
        reply = self._replies.get(work["ask"])
        if reply is not None:
            reply.said = work
            reply.event.set()

    def _asked(
        self, line: wire.PermissionLine | wire.QuestionsLine, timeout_s: float | None
    ) -> Any:
        reply = self._replies[line.ask] = _Reply()
        try:
            self._put(line, 1024)
            self._outbox.wait(self._outbox.seq)
            self._check()
            if not reply.event.wait(timeout_s):
                raise TimeoutError(
                    f"no person has answered {line.ask!r} of turn {self.name!r} within "
                    f"{timeout_s:g} s"
                )
            self._check()
            assert reply.said is not None
            return reply.said
        finally:
            del self._replies[line.ask]

    def _last(self, line: wire.EndLine | wire.FailLine) -> None:
        if self.ended:
            return
        self._put(line, 256)
        self.ended = True
        try:
            self._outbox.wait(self._outbox.seq)
            self._check()
        finally:
            self.session.client.forget(self)

    def _put(self, line: wire.Line, size: int) -> None:
        self._check()
        if self.ended:
            raise Refused(f"turn {self.name!r} has ended already, and takes no more output")
        self._outbox.put(line, size, self)

    def _check(self) -> None:
        if self.aborted.is_set():
            raise Aborted(self._why)
        if self._refusals:
            raise Refused(self._refusals.pop(0))


class _Reply:
    def __init__(self) -> None:
        self.event = threading.Event()
        self.said: Mapping[str, Any] | None = None
