"""What a gateway may ask of a processor, and the forms of its answer.

An answer's body is the JSON that goes to the HTTP client, made once, by the processor. A long one
comes in pieces: the answer then has a token, and `More` with that token asks for what follows. The
processor keeps nothing between two pieces, so a client that reads slowly costs it nothing.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

from bus.agent_lines import Line, Refused
from bus.bodies import CreateBody, PatchBody, PermissionBody, PromptBody

PIECE_BYTES = 1024 * 1024
"""How much of an answer comes at a time, unless the command says otherwise."""


class SessionCreate(Struct, tag=True):
    """Make a session. Body: Session."""

    directory: str
    body: CreateBody


class SessionList(Struct, tag=True):
    """List sessions, newest change first. Body: Session[].

    `directory` None: of every directory; `start`: changed at or after that time (ms).
    """

    directory: str | None = None
    roots: bool = False
    start: int | None = None
    search: str | None = None
    limit: int = 100
    size: int = PIECE_BYTES


class SessionGet(Struct, tag=True):
    """Body: Session."""

    session: str


class SessionPatch(Struct, tag=True):
    """Change the given fields. Body: Session."""

    session: str
    body: PatchBody


class SessionDelete(Struct, tag=True):
    """Abort what runs, and remove a session. Body: true."""

    session: str


class MessageList(Struct, tag=True):
    """The newest `limit` messages before a cursor, oldest first. Body: [{info, parts}].

    The answer's `cursor` leads to the page before, None at the beginning.
    """

    session: str
    limit: int | None = None
    before: str | None = None
    size: int = PIECE_BYTES


class MessageGet(Struct, tag=True):
    """Body: {info, parts}."""

    session: str
    message: str
    size: int = PIECE_BYTES


class Prompt(Struct, tag=True):
    """Queue a turn. Body: {"messageID"} of the user's message."""

    session: str
    body: PromptBody


class TurnWait(Struct, tag=True):
    """Wait until the turn of a user's message is over.

    Body: {info, parts} of the answer, or null while it still runs after `wait_ms`.
    """

    session: str
    message: str
    wait_ms: int
    size: int = PIECE_BYTES


class More(Struct, tag=True):
    """Go on with an answer that came in part. Body: what follows of the same JSON."""

    token: bytes
    size: int = PIECE_BYTES


class Abort(Struct, tag=True):
    """Stop the turn that runs, and forget those that wait. Body: true."""

    session: str


class Statuses(Struct, tag=True):
    """Body: status by session id, idle ones left out."""

    directory: str | None = None


class Describe(Struct, tag=True):
    """What clients ask for when they start. Body: as `WIRE.md` §4 has it.

    In front of an upstream, only ``path``: the folder that a path of any spelling names there.
    """

    what: Literal[
        "config", "config/providers", "provider", "agent", "path", "project", "project/current"
    ]
    directory: str


class Replay(Struct, tag=True):
    """Repeat what was published after a seq. Body: a `bus.transport.codec.Batch` frame, not JSON.

    It holds as much as one answer takes, and begins right after `after`.
    """

    epoch: str
    after: int


class SnapshotGet(Struct, tag=True):
    """Tell what is. Body: a `bus.ledger.snapshot.Snapshot`, not JSON."""


class IsOpen(Struct, tag=True):
    """Whether this processor carries out an earlier request of the same peer. Body: a boolean."""

    request: int


class Readiness(Struct, tag=True):
    """Whether events can be had, and why not. Body: {"ready", "reasons", "upstream"?}."""


class AgentLines(Struct, tag=True):
    """Take lines of an agent. Body: `bus.agent_lines.Taken`.

    `epoch` None: of the agent as it is connected; `seq`: number of the first line, None for the
    next. The agent counts as connected for `lease_s` from now on.
    """

    agent: str
    epoch: int | None
    seq: int | None
    lines: list[Line | Refused]
    lease_s: float


class AgentWork(Struct, tag=True):
    """Wait for work of an agent after number `after`. Body: `bus.agent_lines.Handed`.

    `epoch` None: the agent connects anew, and its earlier epochs are fenced. `prompts`: the agent
    takes prompts of others, beside what comes of its own turns.
    """

    agent: str
    epoch: int | None
    after: int
    wait_ms: int
    lease_s: float
    prompts: bool = False


class AgentList(Struct, tag=True):
    """List the agents that are known. Body: [{name, connected, epoch, seq, turns}]."""


class Asks(Struct, tag=True):
    """List what waits for a person, in one directory or all. Body: Permission[] or Question[]."""

    kind: Literal["permission", "question"]
    directory: str | None = None


class PermissionReply(Struct, tag=True):
    """Answer a permission, in `session` if that is given. Body: true."""

    request: str
    body: PermissionBody
    session: str | None = None


class QuestionReply(Struct, tag=True):
    """Answer questions; None: the person declines. Body: true."""

    request: str
    answers: list[list[str]] | None


class TodoList(Struct, tag=True):
    """Body: Todo[] of a session."""

    session: str


Command = (
    SessionCreate
    | SessionList
    | SessionGet
    | SessionPatch
    | SessionDelete
    | MessageList
    | MessageGet
    | Prompt
    | TurnWait
    | More
    | Abort
    | Statuses
    | Describe
    | Replay
    | SnapshotGet
    | IsOpen
    | Readiness
    | AgentLines
    | AgentWork
    | AgentList
    | Asks
    | PermissionReply
    | QuestionReply
    | TodoList
)


class Request(Struct, array_like=True):
    """A command on its way; `id` is the requester's own."""

    id: int
    command: Command


class AnswerBody(NamedTuple):
    """What comes of a command: JSON, the cursor of the page before, the next piece's token."""

    json: bytes
    cursor: str | None = None
    more: bytes | None = None


class Done(Struct, array_like=True, tag=1):
    """The command was carried out; `more` is the token of the next piece, None after the last."""

    id: int
    body: bytes
    cursor: str | None = None
    more: bytes | None = None


FailureKind = Literal[
    "invalid", "not_found", "conflict", "full", "unavailable", "no_room", "internal"
]


class Failed(Struct, array_like=True, tag=2):
    """The command was refused; `message` says why, to a person.

    `bound` names the bound that is reached, ``--max-turns`` say; `retry_after_s` says when to try
    again. None where there is no such thing.
    `field` is the path of the field of the command's body that is to blame: ``parts[0].type``.
    """

    id: int
    kind: FailureKind
    message: str
    bound: str | None = None
    retry_after_s: int | None = None
    field: str | None = None


Answer = Done | Failed


class CommandFailed(Exception):
    """A processor refused a command; the attributes are those of `Failed`."""

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        bound: str | None = None,
        retry_after_s: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.bound = bound
        self.retry_after_s = retry_after_s
        self.field = field

    @classmethod
    def of(cls, failed: Failed) -> CommandFailed:
        """Return the exception of an answer."""
        return cls(
            failed.kind,
            failed.message,
            bound=failed.bound,
            retry_after_s=failed.retry_after_s,
            field=failed.field,
        )

    def answer(self, request: int) -> Failed:
        """Return the answer to a request."""
        return Failed(request, self.kind, self.message, self.bound, self.retry_after_s, self.field)
