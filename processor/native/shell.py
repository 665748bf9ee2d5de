"""Shell commands that a person runs in a session (``!ls`` in opencode's terminal client).

As in opencode, a command is saved as a prompt with a fixed text, and as an answer with one call of
the tool ``bash``. A command waits until the earlier prompts of the session are answered. It needs
no permission, because a person has sent it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NoReturn

import gevent
from gevent.event import Event
from msgspec.structs import replace

from bus.answers import CommandFailed
from bus.bodies import PromptBody, ShellBody, TextInput
from bus.events.message import AssistantMessage, Failure, MessagePath, MessageTime, UserMessage
from bus.events.part import (
    Span,
    TokenCounts,
    ToolCompleted,
    ToolError,
    ToolPart,
    ToolRunning,
    ToolState,
)
from bus.events.session import Busy, Session
from processor.clock import not_before, now_ms
from processor.commands.prompts import Prompts
from processor.native.conversation import EXECUTED
from processor.native.progress import Progress
from processor.native.record import NotSaved, Record, Services
from processor.tools.bash import unusable
from processor.tools.tool import CallRefused, Need, Tool, ToolFailed, TurnAborted

log = logging.getLogger("weir.processor")

_ABORTED = "\n\n<metadata>\nUser aborted the command\n</metadata>"
_TIMEOUT_MS = 3_600_000


class ShellCommands:
    """Accepts shell commands, and runs each one after the earlier prompts of its session.

    Args:
        services: the store, the publisher and the other objects of the processor.
        prompts: saves and queues the prompts of the commands.
        bash: the tool that runs the commands; None if weir runs no tools (``--tools off``).
    """

    def __init__(self, services: Services, prompts: Prompts, bash: Tool | None) -> None:
        self._services = services
        self._prompts = prompts
        self._bash = bash
        self._waiting: dict[str, str] = {}  # by the id of the prompt: the command

    def accept(self, session: str, body: ShellBody) -> str:
        """Queue a command; return the id of its prompt.

        Raises:
            UnknownSession: the session does not exist.
            DuplicateId: the id of the prompt is taken.
            CommandFailed: weir runs no tools, or `body` names something that does not exist.
        """
        if self._bash is None:
            raise CommandFailed("unsupported", "shell: this weir runs no tools")
        if (wrong := unusable(body.command)) is not None:
            raise CommandFailed("invalid", f"command: {wrong}", field="command")
        prompt = body.messageID or self._services.ids.ascending("msg")
        if prompt in self._waiting:
            raise CommandFailed("conflict", f"messageID: {prompt} is taken", field="messageID")
        self._waiting[prompt] = body.command
        try:
            return self._prompts.accept(
                session,
                PromptBody(
                    parts=[TextInput(text=EXECUTED, synthetic=True)],
                    messageID=prompt,
                    agent=body.agent,
                    model=body.model,
                ),
            )
        except BaseException:
            self._waiting.pop(prompt, None)
            raise

    def drop(self, prompt: str) -> None:
        """Forget the command of a prompt that was dropped from the queue without an answer."""
        self._waiting.pop(prompt, None)

    def serves(self, prompt: UserMessage) -> bool:
        """Return whether a prompt is a shell command that waits to be run."""
        return prompt.id in self._waiting

    def start(self, session: Session, prompt: UserMessage, path: MessagePath) -> ShellRun:
        """Start the command of a prompt; return the running command."""
        assert self._bash is not None
        record = Record(session, self._services)
        return ShellRun(record, prompt, self._waiting.pop(prompt.id), self._bash, path)


class ShellRun:
    """A running shell command.

    It implements two protocols: `processor.tools.tool.Call` for the tool ``bash``, and
    `processor.native.turns.Running` for the queue of the session.
    """

    is_lasting = False

    def __init__(
        self, record: Record, prompt: UserMessage, command: str, bash: Tool, path: MessagePath
    ) -> None:
        self.directory = record.session.directory
        self.session = record.session.id
        self.aborted = Event()
        self._record = record
        self._input = {"command": command}
        self._start = now_ms()
        self._output = ""
        self._progress = Progress(record, self._show)
        self._progress.input_bytes = len(command.encode())
        self._answer = AssistantMessage(
            id=record.ids.ascending("msg"),
            sessionID=self.session,
            time=MessageTime(self._start),
            parentID=prompt.id,
            modelID=prompt.model.modelID,
            providerID=prompt.model.providerID,
            mode=prompt.agent,
            agent=prompt.agent,
            path=path,
            cost=0,
            tokens=TokenCounts.none(),
        )
        self._call = record.ids.ascending("call")
        self._part = record.ids.ascending("prt")
        record.status(Busy())
        record.message(self._answer)
        self._put(ToolRunning(self._input, Span(self._start)))
        self._work = gevent.spawn(self._run, bash)

    # The methods of `processor.native.turns.Running`.

    def abort(self) -> None:
        """Ask the tool to end the command; return at once."""
        self.aborted.set()

    def conclude(self) -> None:
        """Wait until the command has ended; save and publish its result."""
        self._put(self._work.get())
        created = self._answer.time.created
        self._answer = replace(self._answer, time=MessageTime(created, not_before(created)))
        self._record.message(self._answer)
        try:
            self._record.settle()
        except NotSaved as error:
            log.error("session %s: the command is not saved: %s", self.session, error)
            message = f"the output of the command could not be saved: {error}"
            self._record.error(Failure("UnknownError", {"message": message}))
        self._record.idle()

    # The methods of `processor.tools.tool.Call`.

    def waiting(self) -> AbstractContextManager[None]:
        """Return a context manager that does nothing: a command has no time limit to stop."""
        return nullcontext()

    def allows(self, need: Need) -> bool:
        """Return True: a command needs no permission, because a person has sent it."""
        return True

    def need(self, need: Need) -> None:
        """Return at once: a command needs no permission, because a person has sent it."""

    def show(
        self, *, title: str | None = None, output: str = "", metadata: dict[str, Any] | None = None
    ) -> None:
        """Publish the output of the command so far, at most ten times a second."""
        self._output = output
        self._progress.changed()

    def ask(self, questions: Sequence[Any]) -> NoReturn:
        """Fail: only tools that a model calls ask a person questions."""
        raise ToolFailed("a command asks nothing")

    def todos(self, todos: Sequence[Any]) -> NoReturn:
        """Fail: only tools that a model calls have a todo list."""
        raise ToolFailed("a command has no todo list")

    def child(
        self, prompt: str, agent: str | None, title: str, session: str | None = None
    ) -> NoReturn:
        """Fail: only tools that a model calls have child sessions."""
        raise ToolFailed("a command has no child sessions")

    def _run(self, bash: Tool) -> ToolState:
        """Run the command; return the final state of the tool call."""
        failed = partial(ToolError, self._input)
        try:
            outcome = bash.run({**self._input, "timeout": _TIMEOUT_MS}, self)
        except (ToolFailed, CallRefused) as error:
            return failed(str(error), self._span())
        except TurnAborted:
            output = self._output + _ABORTED
        except Exception:
            log.exception("session %s: a command failed", self.session)
            return failed("the processor failed; its log says why", self._span())
        else:
            metadata = {**outcome.metadata, "output": outcome.metadata.get("output", "")}
            return ToolCompleted(self._input, outcome.output, "", metadata, self._span())
        finally:
            self._progress.end()
        return ToolCompleted(self._input, output, "", {"output": output}, self._span())

    def _show(self) -> None:
        metadata = {"output": self._output}
        self._put(ToolRunning(self._input, Span(self._start), metadata=metadata))

    def _span(self) -> Span:
        return Span(self._start, not_before(self._start))

    def _put(self, state: ToolState) -> None:
        self._record.part(
            ToolPart(
                id=self._part,
                sessionID=self.session,
                messageID=self._answer.id,
                callID=self._call,
                tool="bash",
                state=state,
            )
        )
