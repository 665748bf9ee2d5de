"""One turn: the output and the actions of an agent in answer to a prompt."""

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
from weir.outbox import Outbox
from weir.tool_call import ToolCall

if TYPE_CHECKING:
    from weir.session import Message, Session

_PIECE = 100_000
"""Characters of one delta: a line is limited to 1 MiB."""
_STATUSES = {"done": "completed", "doing": "in_progress", "todo": "pending"}

Reply = Literal["once", "always", "reject"]
Todo = tuple[str, str] | Mapping[str, str]


class Turn(AbstractContextManager["Turn"], AbstractAsyncContextManager["Turn"]):
    """A running turn: the agent's side of `processor.native.turn.Turn`.

    Every method may be called from any thread. Lines are sent in the background, in order; a
    method blocks only while 1 MiB is not saved yet. Methods raise `Aborted` once the turn has been
    stopped, and `Refused` after weir has refused a line.

    In a ``with`` block the turn ends with the block: as a success, or with the block's error.

    Attributes:
        session: of the turn.
        name: its id on the wire; for a prompt, the id of the prompt's message.
        files: how many files came with the prompt; `session.message(name)` returns them.
        system: instructions that came with the prompt.
        aborted: set once the turn has been stopped.
        begun_at: when weir accepted the turn (`time.monotonic`).
        ended: this process has ended the turn.
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
        """The text to answer."""
        if self._prompt is None:
            from weir.session import text_of

            self._prompt = text_of(self.session.message(self.name)["parts"])
        return self._prompt

    def messages(self) -> list[Message]:
        """Return the session's messages up to the prompt, in the form of chat models."""
        return self.session.messages(self.name)

    # Output of a turn:

    def text(self, *deltas: str) -> None:
        """Append to the answer."""
        for some, size in _lots(deltas):
            self._put(wire.TextLine(turn=self.name, text=some), size)

    def reasoning(self, *deltas: str) -> None:
        """Append to the model's reasoning."""
        for some, size in _lots(deltas):
            self._put(wire.ReasoningLine(turn=self.name, text=some), size)

    def tool(self, tool: str, /, *, title: str = "", **arguments: Any) -> ToolCall:
        """Open a tool call, which then runs; clients show `arguments`."""
        name = f"call_{next(self._names)}"
        line = wire.ToolLine(
            turn=self.name, call=name, tool=tool, input=arguments, title=title or None
        )
        self._put(line, 256)
        return ToolCall(name, self._put, self.name)

    def todo(self, todos: Iterable[Todo]) -> None:
        """Replace the todo list of the session: pairs of text and status, or mappings.

        A status is ``pending``, ``in_progress``, ``completed`` or ``cancelled``; ``todo``,
        ``doing`` and ``done`` mean the first three.
        """
        made = [_todo(one) for one in todos]
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
        """Set the cost of the turn so far, in tokens and in US dollars."""
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
        """Report that the model failed, and after how many seconds it is called again."""
        self._put(
            wire.RetryLine(turn=self.name, attempt=attempt, message=message, seconds=seconds), 256
        )

    def deadline(self, seconds: float) -> None:
        """Let weir end the turn with an error if it still runs in `seconds` from now."""
        self._put(wire.DeadlineLine(turn=self.name, seconds=seconds), 64)

    # Questions of a turn:

    def ask(
        self,
        permission: str,
        *patterns: str,
        call: ToolCall | None = None,
        always: Sequence[str] = (),
        timeout_s: float | None = None,
        **metadata: Any,
    ) -> Reply:
        """Ask a person for permission, and wait for the answer.

        Raises:
            TimeoutError: no person has answered in time.
            Aborted: the turn was stopped meanwhile.
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
        """Ask a person a question; return the chosen labels, or None if the person declines.

        Raises:
            TimeoutError: no person has answered in time.
            Aborted: the turn was stopped meanwhile.
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

    # Begin and end of a turn:

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until all lines are saved.

        Raises:
            Refused: weir has refused some lines.
            Unreachable: they were not saved in time.
        """
        self._outbox.wait(self._outbox.seq, timeout_s)
        self._check()

    def end(self, reason: str = "stop") -> None:
        """End the turn as a success, and wait until the end is saved."""
        self._last(wire.EndLine(turn=self.name, reason=reason))

    def fail(self, message: str, name: str = "UnknownError") -> None:
        """End the turn with an error, and wait until the end is saved; the output so far stays."""
        self._last(wire.FailLine(turn=self.name, message=message, name=name))

    def __enter__(self) -> Self:
        """Begin the turn, and wait until weir has accepted it."""
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
        """End the turn; an error of the block becomes the turn's error, and passes through."""
        if self.ended:
            return
        if error is None:
            self.end()
        elif not isinstance(error, WeirError):
            try:
                self.fail(described(error))
            except WeirError as other:
                error.add_note(f"the end of the turn is not saved: {other}")
        elif not self.aborted.is_set():
            self._refusals.clear()
            try:
                self.fail(str(error))
            except WeirError:
                return  # the block's own error is raised

    async def __aenter__(self) -> Self:
        """Begin the turn without blocking the event loop."""
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the turn without blocking the event loop."""
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    # Messages of weir about a turn:

    def refused(self, message: str, over: bool) -> None:
        """Handle weir's error for a line of the turn."""
        if over and self.begun_at < math.inf:
            self.stop(message)
        else:
            self._refusals.append(message)

    def stop(self, why: str) -> None:
        """Note that the turn was ended by someone else."""
        if self.ended or self.aborted.is_set():
            return
        self._why = why
        self.aborted.set()
        for reply in list(self._replies.values()):
            reply.event.set()
        for call in self._on_abort:
            call()

    def on_abort(self, call: Any) -> None:
        """Call `call`, from another thread, as soon as the turn is stopped."""
        self._on_abort.append(call)
        if self.aborted.is_set():
            call()

    def replied(self, work: Mapping[str, Any]) -> None:
        """Handle a person's answer."""
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
                raise TimeoutError(f"no person has answered {line.ask} within {timeout_s:g} s")
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
            raise Refused(f"turn {self.name!r} has ended")
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


def _lots(deltas: Sequence[str]) -> Iterable[tuple[list[str], int]]:
    """Yield deltas by line, with their number of characters; long deltas are divided."""
    if (size := sum(map(len, deltas))) <= _PIECE:
        if size:
            yield list(deltas), size
        return
    for delta in deltas:
        for at in range(0, len(delta), _PIECE):
            piece = delta[at : at + _PIECE]
            yield [piece], len(piece)


def _todo(given: Todo) -> wire.TodoInput:
    fields = dict(given) if isinstance(given, Mapping) else dict(zip(_FIELDS, given, strict=True))
    fields["status"] = _STATUSES.get(fields.get("status", ""), fields.get("status", "pending"))
    return wire.TodoInput(**fields)  # type: ignore[arg-type]


_FIELDS = ("content", "status")
