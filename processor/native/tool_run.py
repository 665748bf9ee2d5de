"""One running call of a tool: what the tool may use, and the limits of the call."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import gevent
from gevent.event import Event
from msgspec import Struct
from msgspec.structs import replace

from bus import json
from bus.agent_lines import TodoInput
from bus.events.session import Question, Session, Todo, ToolRef
from processor.native.modes import Modes
from processor.native.permissions import CallRules, Rules
from processor.native.permits import Permits, Stopped
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

SHOWN_EVERY_S = 0.1
SHOWN_LENGTH = 30_000
STOPPED = "The user rejected another tool call of this step."


class ChildSessions(Protocol):
    """Runs prompts in child sessions."""

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
        """Run a prompt in a child session.

        Args:
            parent: the session that asks.
            rules: of the call that asks.
            prompt: what to do.
            agent: that answers.
            title: of a new child.
            session: an existing child; None for a new child.
            begun: called with the id of the child.
        """
        ...

    def limits(self, prompt: str) -> tuple[Rules, ...]:
        """Return the rules of the turns that wait for the answer to a prompt."""
        ...


class Toolbox(Struct):
    """What a turn needs to call tools; one for the whole processor.

    Attributes:
        tools: by their names.
        of_servers: returns the tools of MCP servers in a directory.
        permits: decides whether a call may go on.
        modes: weir's own agents.
        children: for the tool ``task``.
        most_steps: how often a turn may ask the model.
        within_s: how long a call may take; the time that it waits for a person does not count.
    """

    tools: Mapping[str, Tool]
    of_servers: Callable[[str], Mapping[str, Tool]]
    permits: Permits
    modes: Modes
    children: ChildSessions
    most_steps: int
    within_s: float

    def in_directory(self, directory: str) -> Toolbox:
        """Return a toolbox that also has the tools of the directory's MCP servers."""
        return replace(self, tools={**self.of_servers(directory), **self.tools})


class ToolRun:
    """Implements `processor.tools.tool.Call` for one call.

    Args:
        name: of the call in its turn.
        turn: takes the progress of the call.
        rules: the permissions of the call.
        box: the tools of the processor.
        aborted: set when the turn is over.
        stopped: set when a person has refused a call of the step without a reason: then no call
            of the step asks a person again.
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
        self._shown_at = float("-inf")
        self._shown_every_s = SHOWN_EVERY_S
        self._due: gevent.Greenlet[[], None] | None = None

    @property
    def shown(self) -> dict[str, Any]:
        """The metadata that the tool has published last."""
        return self._shown

    def run(self, tool: Tool, arguments: dict[str, Any]) -> Outcome:
        """Run the tool.

        Raises:
            ToolFailed: the tool failed, or has taken too long.
            CallRefused: the call is refused.
            TurnAborted: the turn is over.
        """
        # Each snapshot has the arguments too, so with long arguments there are fewer snapshots.
        size = len(json.encode(arguments))
        self._shown_every_s = SHOWN_EVERY_S * (1 + size / SHOWN_LENGTH)
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
            if self._due is not None:
                self._due.kill(block=False)

    def allows(self, need: Need) -> bool:
        """Return whether the call has a permission, without asking; see `Call`."""
        return self._box.permits.allows(need, self._turn.record.session, self._rules)

    def need(self, need: Need) -> None:
        """Return once the call has the permission that it needs; see `Call`."""
        with self.waiting():
            self._box.permits.need(need, self._turn.record, self._rules, self._ref)

    def ask(self, questions: Sequence[Question]) -> list[list[str]]:
        """Return a person's answers; see `Call`."""
        with self.waiting():
            return self._box.permits.question(questions, self._turn.record, self._ref)

    def show(
        self, *, title: str | None = None, output: str = "", metadata: dict[str, Any] | None = None
    ) -> None:
        """Publish the progress of the tool, at most ten times a second; see `Call`."""
        self._title = title or self._title
        self._shown = dict(metadata or {})
        if output:
            self._shown["output"] = output[-SHOWN_LENGTH:]
        if self._due is None:
            wait_s = max(0.0, self._shown_at + self._shown_every_s - time.monotonic())
            self._due = gevent.spawn_later(wait_s, self._publish)

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
        # If the store is slow, fewer snapshots are written: they would fill the memory.
        while self._turn.record.is_behind:
            gevent.sleep(SHOWN_EVERY_S)
        self._due = None
        self._shown_at = time.monotonic()
        self._turn.calls.snapshot(self._ref.callID, self._title, self._shown)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Stop the call's time limit while the call waits for somebody else; see `Call`."""
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
