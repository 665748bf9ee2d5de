"""The lines that an agent of one's own sends to weir (NDJSON), and the work that weir hands out.

An agent runs turns in a process of its own. It sends a line for each thing that happens in a turn,
and gets the prompts of its sessions, aborts and the answers of people. `docs/publishing.md`
describes the protocol; the client in Python is the package `weir`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct

from bus.bodies import Id
from bus.events.session import Question

BUILT_IN = "build"
"""The agent of prompts that name none: weir's own, unless a process takes its name."""
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
    """A line is about one turn, by the name that the agent or weir gave it."""

    turn: Id


class Begin(_Line, tag="begin"):
    """Begin a turn of the agent's own: `prompt` becomes the user's message in `session`."""

    session: Id
    prompt: Annotated[str, Meta(min_length=1)]


class Text(_Line, tag="text"):
    """Append to the answer; a list holds several deltas."""

    text: str | list[str]


class Reasoning(_Line, tag="reasoning"):
    """Append to what the model thinks."""

    text: str | list[str]


class Tool(_Line, tag="tool"):
    """Open a tool call, or change it.

    A call that is new needs `tool`. `status` is ``running`` where nothing else is said; after
    ``completed`` and ``error`` nothing follows.
    """

    call: Id
    tool: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    status: Literal["pending", "running", "completed", "error"] = "running"
    input: dict[str, Any] | None = None
    title: str | None = None
    metadata: dict[str, Any] | None = None
    output: str = ""
    error: str | None = None


class Output(_Line, tag="output"):
    """Append to the output of a tool call that runs."""

    call: Id
    text: str


class Todos(_Line, tag="todo"):
    """Replace the todo list of the session."""

    todos: Annotated[list[TodoInput], Meta(max_length=MOST_TODOS)]


class Permission(_Line, tag="ask"):
    """Ask a person for permission; a `Reply` with the same `ask` brings the answer."""

    ask: Id
    permission: Annotated[str, Meta(min_length=1)]
    patterns: list[str] = []
    always: list[str] = []
    metadata: dict[str, Any] = {}
    call: Id | None = None


class Questions(_Line, tag="question"):
    """Ask a person questions; a `Reply` with the same `ask` brings the answers."""

    ask: Id
    questions: Annotated[list[Question], Meta(min_length=1, max_length=100)]
    call: Id | None = None


class Usage(_Line, tag="usage"):
    """Set what the turn has cost so far: tokens, and US dollars."""

    input: Count = 0
    output: Count = 0
    reasoning: Count = 0
    cache_read: Count = 0
    cache_write: Count = 0
    cost: Annotated[float, Meta(ge=0, le=1e9)] = 0.0


class Retry(_Line, tag="retry"):
    """Say that the model failed, and in how many seconds it is asked again."""

    attempt: Annotated[int, Meta(ge=1, le=1_000_000)]
    message: str
    seconds: Annotated[float, Meta(ge=0, le=MOST_DEADLINE_S)] = 0.0


class Deadline(_Line, tag="deadline"):
    """End the turn as an error if it still runs after so many seconds; the last line counts."""

    seconds: Annotated[float, Meta(gt=0, le=MOST_DEADLINE_S)]


class End(_Line, tag="end"):
    """End the turn well."""

    reason: Annotated[str, Meta(min_length=1, max_length=64)] = "stop"


class Fail(_Line, tag="error"):
    """End the turn with an error."""

    message: str
    name: Annotated[str, Meta(min_length=1, max_length=64)] = "UnknownError"


class Refused(_Line, tag="refused"):
    """Takes the place of a line that the gateway has refused, so that the numbers go on."""

    turn: str = "-"


Line = (
    Begin
    | Text
    | Reasoning
    | Tool
    | Output
    | Todos
    | Permission
    | Questions
    | Usage
    | Retry
    | Deadline
    | End
    | Fail
)
TYPES = tuple(str(line.__struct_config__.tag) for line in get_args(Line))


class _Work(Struct, tag_field="type", kw_only=True, omit_defaults=True):
    """An item of work is about one turn; `number` counts the items of an agent."""

    number: int = 0
    turn: str


class Prompt(_Work, tag="prompt"):
    """Answer a prompt, whose message has the id `turn`.

    `text` is None where the prompt is long: ``GET /session/{session}/message/{turn}`` has it, and
    the files, of which there are `files`.
    """

    session: str
    directory: str
    text: str | None
    files: int = 0
    system: str = ""


class Abort(_Work, tag="abort"):
    """Stop: the turn has ended, because of `reason`."""

    reason: str


class Reply(_Work, tag="reply"):
    """What a person says to an ask: of a permission `reply`, of questions `answers`.

    The reply is ``reject`` where the person declines to answer a question.
    """

    ask: str
    reply: Literal["once", "always", "reject", "answered"]
    message: str = ""
    answers: list[list[str]] = []


Work = Prompt | Abort | Reply


class LineError(Struct, omit_defaults=True):
    """A line that was refused: its number in the epoch, its turn, and why.

    `over`: the turn does not run, so no further line of the turn can be taken.
    """

    seq: int
    message: str
    turn: str = ""
    over: bool = False


class Taken(Struct):
    """What became of lines: all up to `seq` are in the store, or refused with an error.

    `first` is the number of the first of these lines.
    """

    epoch: int
    first: int
    seq: int
    errors: list[LineError]


class Handed(Struct):
    """The work of an agent after a number, and where the agent stands.

    `turns` are its turns that run, or wait for their session.
    """

    epoch: int
    seq: int
    turns: list[str]
    work: list[Work]
