"""The lines that an agent sends to weir (NDJSON), and the work items that weir sends to the agent.

An agent is a program of the user that runs turns in a process of its own. It sends a line for each
thing that happens in a turn. It receives the prompts of its sessions, aborts, and people's
replies. `docs/publishing.md` describes the protocol; the Python client is the package `weir`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct

from bus.bodies import Id
from bus.events.session import Question

BUILT_IN = "build"
"""The agent of prompts that name none: weir itself, unless a process connects by this name."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
MOST_LINE_BYTES = 1024 * 1024
MOST_BATCH_LINES = 1000
MOST_TODOS = 1000
MOST_DEADLINE_S = 86_400.0
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class TodoInput(Struct):
    """One line of a todo list."""

    content: str
    status: Literal["pending", "in_progress", "completed", "cancelled"] = "pending"
    priority: Literal["high", "medium", "low"] = "medium"


class _Line(Struct, tag_field="type", kw_only=True, omit_defaults=True):
    """Base of all lines. `turn` is the id of the line's turn, chosen by the agent or by weir."""

    turn: Id


class BeginLine(_Line, tag="begin"):
    """Begin a turn that no prompt has asked for: `prompt` becomes a user message in `session`."""

    session: Id
    prompt: Annotated[str, Meta(min_length=1)]


class TextLine(_Line, tag="text"):
    """Append text to the answer; a list holds several deltas."""

    text: str | list[str]


class ReasoningLine(_Line, tag="reasoning"):
    """Append text to the model's reasoning; a list holds several deltas."""

    text: str | list[str]


class ToolLine(_Line, tag="tool"):
    """Open a tool call, or change an open one.

    The first line of a call needs `tool`. `status` is ``running`` unless it is given. After
    ``completed`` or ``error``, no further line of the call is allowed.
    """

    call: Id
    tool: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    status: Literal["pending", "running", "completed", "error"] = "running"
    input: dict[str, Any] | None = None
    title: str | None = None
    metadata: dict[str, Any] | None = None
    output: str = ""
    error: str | None = None


class OutputLine(_Line, tag="output"):
    """Append to the output of a running tool call."""

    call: Id
    text: str


class TodosLine(_Line, tag="todo"):
    """Replace the todo list of the session."""

    todos: Annotated[list[TodoInput], Meta(max_length=MOST_TODOS)]


class PermissionLine(_Line, tag="ask"):
    """Ask a person for permission; a `ReplyWork` with the same `ask` brings the answer."""

    ask: Id
    permission: Annotated[str, Meta(min_length=1)]
    patterns: list[str] = []
    always: list[str] = []
    metadata: dict[str, Any] = {}
    call: Id | None = None


class QuestionsLine(_Line, tag="question"):
    """Ask a person questions; a `ReplyWork` with the same `ask` brings the answers."""

    ask: Id
    questions: Annotated[list[Question], Meta(min_length=1, max_length=100)]
    call: Id | None = None


class UsageLine(_Line, tag="usage"):
    """Set the cost of the turn so far, in tokens and in US dollars."""

    input: Count = 0
    output: Count = 0
    reasoning: Count = 0
    cache_read: Count = 0
    cache_write: Count = 0
    cost: Annotated[float, Meta(ge=0, le=1e9)] = 0.0


class RetryLine(_Line, tag="retry"):
    """Report that the model failed, and after how many seconds it is called again."""

    attempt: Annotated[int, Meta(ge=1, le=1_000_000)]
    message: str
    seconds: Annotated[float, Meta(ge=0, le=MOST_DEADLINE_S)] = 0.0


class DeadlineLine(_Line, tag="deadline"):
    """End the turn with an error in `seconds` from now; replaces an earlier deadline."""

    seconds: Annotated[float, Meta(gt=0, le=MOST_DEADLINE_S)]


class EndLine(_Line, tag="end"):
    """End the turn as a success."""

    reason: Annotated[str, Meta(min_length=1, max_length=64)] = "stop"


class FailLine(_Line, tag="error"):
    """End the turn with an error."""

    message: str
    name: Annotated[str, Meta(min_length=1, max_length=64)] = "UnknownError"


class RefusedLine(_Line, tag="refused"):
    """Takes the place of a line that the gateway refused, so that line numbers have no hole."""

    turn: str = "-"


Line = (
    BeginLine
    | TextLine
    | ReasoningLine
    | ToolLine
    | OutputLine
    | TodosLine
    | PermissionLine
    | QuestionsLine
    | UsageLine
    | RetryLine
    | DeadlineLine
    | EndLine
    | FailLine
)
TYPES = tuple(str(line.__struct_config__.tag) for line in get_args(Line))


class _Work(Struct, tag_field="type", kw_only=True, omit_defaults=True):
    """Base of all work items. `turn` is the item's turn; `number` counts the items of an agent."""

    number: int = 0
    turn: str


class PromptWork(_Work, tag="prompt"):
    """Answer a prompt. `turn` is the id of the prompt's message, `files` the number of its files.

    `text` is None if the prompt is long. ``GET /session/{session}/message/{turn}`` returns the
    long text, and the files.
    """

    session: str
    directory: str
    text: str | None
    files: int = 0
    system: str = ""


class AbortWork(_Work, tag="abort"):
    """The turn has ended because of `reason`: stop the work on it."""

    reason: str


class ReplyWork(_Work, tag="reply"):
    """A person's answer to `ask`: `reply` for a permission, `answers` for questions.

    `reply` is ``reject`` if the person declines to answer a question.
    """

    ask: str
    reply: Literal["once", "always", "reject", "answered"]
    message: str = ""
    answers: list[list[str]] = []


Work = PromptWork | AbortWork | ReplyWork


class LineError(Struct, omit_defaults=True):
    """A refused line: its number in the epoch, its turn, and the reason.

    `over`: the turn has ended, so weir refuses all further lines of the turn.
    """

    seq: int
    message: str
    turn: str = ""
    over: bool = False


class Taken(Struct):
    """The lines `first` to `seq` are stored, or refused with an entry in `errors`."""

    epoch: int
    first: int
    seq: int
    errors: list[LineError]


class Handed(Struct):
    """An agent's work items after a given number; `seq` is the number of the last item.

    `turns` are the turns of the agent that run, or that wait for their session.
    """

    epoch: int
    seq: int
    turns: list[str]
    work: list[Work]
