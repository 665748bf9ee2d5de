"""The interface between a tool and the loop that runs the turn.

Rules:

1. The loop finds a tool by its name and calls `run`, with the arguments from the model and with a
   `Call`. `run` blocks its greenlet, and no other.
2. Before a tool does something that a rule may forbid, it calls `Call.need`, which returns once
   this is allowed. A tool asks for exactly the path, command or URL that it uses afterwards, with
   links resolved.
3. A tool that fails raises `ToolFailed`; the message is for the model, and the turn continues.
4. When `Call.aborted` is set, or an exception is thrown into the greenlet, the tool ends at once:
   `run` raises, and every process that the tool has started is ended.
5. An `Outcome` is bounded: output longer than `clip.MOST_BYTES` is in the spool, and the outcome
   has its beginning, its end and the path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from gevent.event import Event
from msgspec import Struct, field

from bus.agent_lines import TodoInput
from bus.events.session import Question


class ToolFailed(Exception):
    """The tool failed; the message is for the model."""


class CallRefused(Exception):
    """A rule or a person does not allow the call; the message is for the model."""


class TurnAborted(Exception):
    """The turn has ended."""


class Need(Struct, frozen=True):
    """A permission that a call needs.

    Attributes:
        permission: opencode's name: ``bash``, ``edit``, ``read``, ``external_directory``, ….
        patterns: of commands or paths; each must be allowed.
        always: the patterns that the answer "always" allows from then on.
        metadata: shown to the person who is asked.
        spellings: more texts that a rule may deny: the commands without quotes and assignments.
    """

    permission: str
    patterns: list[str]
    always: list[str]
    metadata: dict[str, Any] = field(default_factory=dict)
    spellings: list[str] = field(default_factory=list)


class ChildAnswer(Struct, frozen=True):
    """The answer of a child session.

    Attributes:
        session: id of the child.
        text: the last text of its answer.
    """

    session: str
    text: str


class Call(Protocol):
    """The interface for a running tool; the loop implements it.

    Attributes:
        directory: of the session, absolute.
        session: its id.
        aborted: set when the turn has ended.
    """

    directory: str
    session: str
    aborted: Event

    def waiting(self) -> AbstractContextManager[None]:
        """Return a block whose time does not count for the time limit of the call.

        The call waits in it for something else with a time limit, such as another call.
        """

    def allows(self, need: Need) -> bool:
        """Return whether the call has a permission, without asking a person."""

    def need(self, need: Need) -> None:
        """Return once the call has a permission.

        Raises:
            CallRefused: it is denied.
            TurnAborted: the turn ended before there was an answer.
        """

    def show(
        self, *, title: str | None = None, output: str = "", metadata: dict[str, Any] | None = None
    ) -> None:
        """Show the tool's progress. `output` replaces what was shown before."""

    def ask(self, questions: Sequence[Question]) -> list[list[str]]:
        """Ask a person; return for each question the chosen labels.

        Raises:
            CallRefused: the person declines to answer.
            TurnAborted: the turn ended before there was an answer.
        """

    def todos(self, todos: Sequence[TodoInput]) -> None:
        """Replace the todo list of the session."""

    def child(
        self, prompt: str, agent: str | None, title: str, session: str | None = None
    ) -> ChildAnswer:
        """Run a prompt in a child session, and return the answer.

        Args:
            prompt: what to do.
            agent: the agent that answers; None for the agent of this session.
            title: of the child.
            session: an existing child; None for a new one.

        Raises:
            ToolFailed: the child failed, or `agent` or `session` does not exist.
            TurnAborted: the turn ended before the child did.
        """


class Outcome(Struct):
    """The result of a tool.

    Attributes:
        output: for the model.
        title: one line for people.
        metadata: for clients, in opencode's form for this tool.
        attachments: files, each ``{"type": "file", "mime": …, "url": …}``.
    """

    output: str
    title: str
    metadata: dict[str, Any]
    attachments: list[dict[str, Any]] = []


Run = Callable[[Any, Call], Outcome]


class Tool(Struct, frozen=True):
    """A tool that a model can call.

    Attributes:
        name: by which the model calls it.
        description: for the model.
        parameters: a JSON schema of the arguments.
        run: takes the arguments, as JSON bytes, JSON text or a dict. It only raises `ToolFailed`,
            `CallRefused` or `TurnAborted` for what a model or a user can cause.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    run: Run
