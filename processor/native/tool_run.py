"""One running tool call of a model: what weir does for the tool, and the call's time limit."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import gevent
from gevent.event import Event
from msgspec import Struct
from msgspec.structs import replace

from bus.agent_lines import TodoInput
from bus.events.session import Question, Session, Todo, ToolRef
from processor.native.modes import Modes
from processor.native.permissions import CallRules, Rules
from processor.native.permits import Permits, Stopped
from processor.native.progress import Progress
from processor.native.turn import Turn
from processor.tools.tool import (
    CallRefused,
    ChildAnswer,
    Need,
    Outcome,
    Tool,
    ToolFailed,
    TurnAborted,
)

SHOWN_LENGTH = 30_000
STOPPED = "The user rejected another tool call of this step."


class ChildSessions(Protocol):
    """Runs prompts in child sessions; `processor.native.children` implements this protocol."""

    def run(
        self,
        parent: Session,
        rules: CallRules,
        prompt: str,
        agent: str | None,
        title: str,
        session: str | None,
        begun: Callable[[str], None],
    ) -> ChildAnswer:
        """Run a prompt in a child session, wait, and return the answer.

        Args:
            parent: the session of the call.
            rules: the permissions of the call; what they deny is denied to the child too.
            prompt: the text of the prompt.
            agent: the name of the agent that answers; None: the agent ``general``.
            title: the title of a new child session.
            session: the id of an existing child session; None: make a new one.
            begun: called with the id of the child session before the prompt is sent.

        Raises:
            ToolFailed: the child failed, or `agent` or `session` does not exist.
        """
        ...

    def limits(self, prompt: str) -> tuple[Rules, ...]:
        """Return the permission rules of each turn that waits for the answer to a prompt.

        Whatever these rules deny is also denied to the turn that answers the prompt.
        """
        ...


class Toolbox(Struct):
    """The tools that models may call, and what their calls need; all turns share one toolbox.

    Attributes:
        tools: the tools by their names.
        of_servers: returns the tools of the MCP servers of a directory, by their names.
        permits: decides whether a call is allowed, and asks a person if necessary.
        modes: weir's own agents by their names.
        children: runs the child sessions of the tool ``task``.
        most_steps: how often a turn may call the model.
        within_s: how many seconds a call may take; time spent in `ToolRun.waiting` does not count.
    """

    tools: Mapping[str, Tool]
    of_servers: Callable[[str], Mapping[str, Tool]]
    permits: Permits
    modes: Modes
    children: ChildSessions
    most_steps: int
    within_s: float

    def in_directory(self, directory: str) -> Toolbox:
        """Return a copy that also has the tools of a directory's MCP servers."""
        return replace(self, tools={**self.of_servers(directory), **self.tools})


class ToolRun:
    """One call of a tool by a model; the tool gets this object as its `Call`.

    Args:
        name: the id of the call in its turn.
        turn: saves and publishes the progress of the call.
        rules: the permissions of the call.
        box: the tools of the processor.
        aborted: set when the turn is over.
        stopped: shared by the calls of a step; set when a person has refused one of the calls
            without a reason. Then the others fail instead of asking a person.

    Attributes:
        pointer: metadata that each event of the call has: where the whole input is.
    """

    def __init__(
        self,
        name: str,
        turn: Turn,
        rules: CallRules,
        box: Toolbox,
        aborted: Event,
        stopped: Event,
    ) -> None:
        self.directory = turn.record.session.directory
        self.session = turn.record.session.id
        self.aborted = aborted
        self._stopped = stopped
        self._ref = ToolRef(turn.message, name)
        self._turn = turn
        self._rules = rules
        self._box = box
        self._left_s = box.within_s
        self._timeout = gevent.Timeout(None)
        self._began = 0.0
        self._title: str | None = None
        self._shown: dict[str, Any] = {}
        self.pointer: dict[str, Any] = {}
        self._progress = Progress(turn.record, self._publish)

    @property
    def shown(self) -> dict[str, Any]:
        """The metadata of the tool's last `show`, perhaps not published yet."""
        return self.pointer | self._shown

    def run(self, tool: Tool, arguments: dict[str, Any], input_bytes: int) -> Outcome:
        """Run the tool, and return its result; its part has an input of `input_bytes`.

        Raises:
            ToolFailed: the tool failed, or has not ended within ``--tool-timeout``.
            CallRefused: a rule or a person refuses the call.
            TurnAborted: the turn has ended meanwhile.
        """
        self._progress.input_bytes = input_bytes
        try:
            self._go_on()
            return tool.run(arguments, self)
        except gevent.Timeout as late:
            if late is not self._timeout:
                raise
            within = f"{self._box.within_s:g} s (--tool-timeout)"
            raise ToolFailed(f"the tool has not ended within {within}") from None
        finally:
            self._pause()
            self._progress.end()

    def allows(self, need: Need) -> bool:
        """Return whether the call is allowed to do `need`, without asking a person; see `Call`."""
        return self._box.permits.allows(need, self._turn.record.session, self._rules)

    def need(self, need: Need) -> None:
        """Return as soon as the call is allowed to do `need`; perhaps ask a person; see `Call`."""
        with self.waiting():
            self._box.permits.need(need, self._turn.record, self._rules, self._ref)

    def ask(self, questions: Sequence[Question]) -> list[list[str]]:
        """Ask a person questions, wait, and return the answers; see `Call`."""
        with self.waiting():
            return self._box.permits.question(questions, self._turn.record, self._ref)

    def show(
        self, *, title: str | None = None, output: str = "", metadata: dict[str, Any] | None = None
    ) -> None:
        """Publish the tool's progress soon, at most ten times a second; see `Call`."""
        self._title = title or self._title
        self._shown = dict(metadata or {})
        if output:
            self._shown["output"] = output[-SHOWN_LENGTH:]
        self._progress.changed()

    def todos(self, todos: Sequence[TodoInput]) -> None:
        """Replace the todo list of the session."""
        self._turn.record.todos([Todo(one.content, one.status, one.priority) for one in todos])

    def child(
        self, prompt: str, agent: str | None, title: str, session: str | None = None
    ) -> ChildAnswer:
        """Run a prompt in a child session; see `Call`."""

        def begun(child: str) -> None:
            self.show(title=title, metadata={"sessionId": child})

        with self.waiting():
            parent = self._turn.record.session
            return self._box.children.run(
                parent, self._rules, prompt, agent, title, session, begun
            )

    def _publish(self) -> None:
        self._turn.calls.snapshot(self._ref.callID, self._title, self.shown)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Stop the call's clock in the ``with`` block, where the call waits for a person or child.

        Raises:
            TurnAborted: the turn is over.
            CallRefused: a person has refused another call of the step without a reason.
        """
        if self.aborted.is_set():
            raise TurnAborted
        if self._stopped.is_set():
            raise CallRefused(STOPPED)
        self._pause()
        try:
            yield
        except Stopped:
            self._stopped.set()
            self._go_on()
            raise
        except Exception:
            self._go_on()
            raise
        self._go_on()

    def _go_on(self) -> None:
        self._began = time.monotonic()
        self._timeout = gevent.Timeout.start_new(self._left_s)

    def _pause(self) -> None:
        self._timeout.close()
        self._left_s = max(0.001, self._left_s - (time.monotonic() - self._began))
