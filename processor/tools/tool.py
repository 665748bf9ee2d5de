"""The interface between a tool and the code that runs a model's turn (`processor.native`).

Rules:

1. The turn finds a tool by its name and calls `Tool.run`, with the arguments from the model and
   with a `Call`. `run` may block its own greenlet, but no other.
2. Before a tool does something that a permission rule may forbid, it calls `Call.need`, which
   returns when this is allowed. The tool names exactly the path, command or URL that it uses
   afterwards, with symbolic links resolved.
3. A tool that fails raises `ToolFailed`. The model reads the message, and the turn continues.
4. When `Call.aborted` is set, or an exception is thrown into the greenlet, the tool ends at once:
   `run` raises, and every process that the tool has started is ended.
5. An `Outcome` is bounded. Output longer than `clip.MOST_BYTES` is written to a file in the spool;
   the outcome contains the beginning and the end of the output, and the path of the file.
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
    """The tool failed; the model reads the message, and the turn continues."""


class CallRefused(Exception):
    """A rule or a person does not allow the call; the model reads the message."""


class TurnAborted(Exception):
    """The turn has ended, so the tool must stop."""


class Need(Struct, frozen=True):
    """A permission that a tool call needs.

    Attributes:
        permission: opencode's name of the permission: ``bash``, ``edit``, ``read``, ….
        patterns: the commands, paths or URLs that the call uses; each of them must be allowed.
        always: the patterns that the answer "always" of a person also allows to later calls.
        metadata: details for the person who is asked, such as the diff of a file.
        spellings: other forms of the patterns, such as commands without quotes; a rule that denies
            one of them denies the call.
    """

    permission: str
    patterns: list[str]
    always: list[str]
    metadata: dict[str, Any] = field(default_factory=dict)
    spellings: list[str] = field(default_factory=list)


class ChildAnswer(Struct, frozen=True):
    """The answer of a child session.

    Attributes:
        session: the id of the child session.
        text: the last text part of the answer; empty if the answer has no text.
    """

    session: str
    text: str


class Call(Protocol):
    """What a running tool can use of weir: permissions, questions, and the display of progress.

    Attributes:
        directory: the directory of the session, as an absolute path.
        session: the id of the session.
        aborted: set when the turn has ended; then the tool must stop.
    """

    directory: str
    session: str
    aborted: Event

    def waiting(self) -> AbstractContextManager[None]:
        """Return a context manager that stops the call's time limit.

        A tool uses it to wait for something with a time limit of its own, such as another call.
        """

    def allows(self, need: Need) -> bool:
        """Return whether the call is allowed to do `need`, without asking a person."""

    def need(self, need: Need) -> None:
        """Return when the call is allowed to do `need`; this may wait for a person's answer.

        Raises:
            CallRefused: a rule or a person denies the permission, or no person answers in time.
            TurnAborted: the turn ended before a person answered.
        """

    def show(
        self, *, title: str | None = None, output: str = "", metadata: dict[str, Any] | None = None
    ) -> None:
        """Publish the tool's progress, for people who watch.

        Args:
            title: one line; None: keep the last title.
            output: the output so far; replaces the output that was shown before.
            metadata: details for clients; replaces the metadata that was shown before.
        """

    def ask(self, questions: Sequence[Question]) -> list[list[str]]:
        """Ask a person, wait, and return for each question the labels of the chosen options.

        Raises:
            CallRefused: the person declines to answer, or does not answer in time.
            TurnAborted: the turn ended before the person answered.
        """

    def todos(self, todos: Sequence[TodoInput]) -> None:
        """Replace the todo list of the session, and publish the new list."""

    def child(
        self, prompt: str, agent: str | None, title: str, session: str | None = None
    ) -> ChildAnswer:
        """Run a prompt in a child session, wait, and return the answer.

        Args:
            prompt: the text of the prompt.
            agent: the name of the agent that answers; None: the agent ``general``.
            title: the title of a new child session.
            session: the id of an existing child session; None: make a new one.

        Raises:
            ToolFailed: the child failed, or `agent` or `session` does not exist.
            TurnAborted: the turn ended before the child answered.
        """


class Outcome(Struct):
    """The result of a tool call.

    Attributes:
        output: the text that the model reads.
        title: one line that clients show to people.
        metadata: details that clients show, with the keys that opencode uses for this tool.
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
        name: the name by which the model calls the tool.
        description: tells the model what the tool does.
        parameters: a JSON schema of the arguments.
        run: runs the tool; the arguments are JSON bytes, JSON text or a dict. For a mistake of a
            model or a user, it only raises `ToolFailed`, `CallRefused` or `TurnAborted`.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    run: Run
