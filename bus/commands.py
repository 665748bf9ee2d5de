"""The commands that a gateway sends to a processor; each says what the answer's body contains."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from bus.agent_commands import AgentLines, AgentList, AgentWork
from bus.answers import PIECE_BYTES
from bus.bodies import (
    CreateBody,
    ForkBody,
    PatchBody,
    PermissionBody,
    PromptBody,
    RevertBody,
    ShellBody,
    SlashBody,
    SummarizeBody,
)
from bus.events.part import Part
from bus.mcp import McpAdd, McpStatus, McpSwitch


class SessionCreate(Struct, tag=True):
    """Make a session. Body: Session."""

    directory: str
    body: CreateBody


class SessionChildren(Struct, tag=True):
    """List the child sessions of a session. Body: Session[]."""

    session: str


class SessionFork(Struct, tag=True):
    """Copy a session, up to a message if one is given. Body: Session."""

    session: str
    body: ForkBody


class SessionRevert(Struct, tag=True):
    """Hide messages, which the next prompt removes; no `body`: show them again. Body: Session."""

    session: str
    body: RevertBody | None = None


class SessionDiff(Struct, tag=True):
    """Return what tools changed in files: in all prompts, or in one. Body: SnapshotFileDiff[]."""

    session: str
    message: str | None = None


class SessionSummarize(Struct, tag=True):
    """Sum a session up, so that a model reads the summary in place of it. Body: true."""

    session: str
    body: SummarizeBody


class SessionList(Struct, tag=True):
    """List sessions, the latest change first. Body: Session[].

    `directory` None: all directories. `start`: only sessions that changed at or after this time
    (ms).
    """

    directory: str | None = None
    roots: bool = False
    start: int | None = None
    search: str | None = None
    limit: int = 100
    size: int = PIECE_BYTES


class SessionGet(Struct, tag=True):
    """Return a session. Body: Session."""

    session: str


class SessionPatch(Struct, tag=True):
    """Change the given fields. Body: Session."""

    session: str
    body: PatchBody


class SessionDelete(Struct, tag=True):
    """Abort the running turn of a session, and remove the session. Body: true."""

    session: str


class MessageList(Struct, tag=True):
    """Return the newest `limit` messages before a cursor, oldest first. Body: [{info, parts}].

    The answer's `cursor` points to the previous page; None if there is none.
    """

    session: str
    limit: int | None = None
    before: str | None = None
    size: int = PIECE_BYTES


class MessageGet(Struct, tag=True):
    """Return a message. Body: {info, parts}."""

    session: str
    message: str
    size: int = PIECE_BYTES


class ToolOutput(Struct, tag=True):
    """Return the whole output of a tool call. Body: its bytes, not JSON."""

    session: str
    output: str
    size: int = PIECE_BYTES


class MessageDelete(Struct, tag=True):
    """Remove a message, or one part of it. Body: true."""

    session: str
    message: str
    part: str | None = None


class PartPatch(Struct, tag=True):
    """Replace a part by `body`. Body: Part."""

    session: str
    message: str
    part: str
    body: Part


class Shell(Struct, tag=True):
    """Queue a command of the user's shell. Body: {"messageID"} of the user's message."""

    session: str
    body: ShellBody


class Slash(Struct, tag=True):
    """Queue the prompt that a command's template makes. Body: {"messageID"}."""

    session: str
    body: SlashBody


class Prompt(Struct, tag=True):
    """Queue a turn. Body: {"messageID"}, the id of the user's message."""

    session: str
    body: PromptBody


class TurnWait(Struct, tag=True):
    """Wait until the turn that a user's message began is over.

    Body: {info, parts} of the answer, or null if the turn still runs after `wait_ms`.
    """

    session: str
    message: str
    wait_ms: int
    size: int = PIECE_BYTES


class More(Struct, tag=True):
    """Return the next piece of an answer. Body: the bytes after the last piece."""

    token: bytes
    size: int = PIECE_BYTES


class Abort(Struct, tag=True):
    """Stop the running turn, and drop the queued ones. Body: true."""

    session: str


class Statuses(Struct, tag=True):
    """Return the status of each session that is not idle. Body: statuses by session id."""

    directory: str | None = None


What = Literal[
    "config",
    "config/providers",
    "provider",
    "agent",
    "command",
    "experimental/tool",
    "experimental/tool/ids",
    "path",
    "project",
    "project/current",
    "vcs",
    "api/agent",
    "api/command",
    "api/integration",
    "api/location",
    "api/model",
    "api/provider",
    "api/reference",
    "api/session/active",
    "api/skill",
]


class Describe(Struct, tag=True):
    """Return the data that clients load when they start. Body: see `WIRE.md` §4.

    In front of an upstream only ``path`` works: it returns the folder that `directory` names
    there.
    """

    what: What
    directory: str


class Directories(Struct, tag=True):
    """Return the folders of a project that have sessions. Body: {directory}[]."""

    project: str


class Dispose(Struct, tag=True):
    """Make the clients of one directory, or of all directories, read everything again.

    Body: true.
    """

    directory: str | None = None


class SessionsV2(Struct, tag=True):
    """List sessions as opencode's v2 API has them. Body: {data, cursor}."""

    directory: str | None = None
    search: str | None = None
    ascending: bool = False
    cursor: str | None = None
    limit: int = 50


class Search(Struct, tag=True):
    """Find words in messages. Body: {found, next, complete}."""

    query: str
    session: str | None = None
    directory: str | None = None
    before: int | None = None
    limit: int = 20


class Files(Struct, tag=True):
    """Look at the files of a directory. Body: as opencode's ``/file…`` and ``/find…`` have it.

    `text`: the path, the pattern or the query; `kind`: ``file``, ``directory`` or both.
    """

    what: Literal["list", "content", "status", "find", "find/file"]
    directory: str
    text: str = ""
    limit: int | None = None
    kind: str | None = None


class Replay(Struct, tag=True):
    """Return published events again. Body: a `bus.transport.codec.Batch` frame, not JSON.

    The batch begins with the event after seq `after`, and has as many events as fit in one answer.
    """

    epoch: str
    after: int


class SnapshotGet(Struct, tag=True):
    """Return the current state. Body: a `bus.ledger.snapshot.Snapshot`, not JSON.

    `source`: of which processor, if the bus has several; None: of any.
    """

    source: str | None = None


class IsOpen(Struct, tag=True):
    """Ask whether a request of this requester still runs. Body: a boolean."""

    request: int


class Readiness(Struct, tag=True):
    """Ask whether the source of events works. Body: {"ready", "reasons", "upstream"?}."""


class Asks(Struct, tag=True):
    """List the requests that wait for a person's answer. Body: Permission[] or Question[].

    `directory` None: all directories.
    """

    kind: Literal["permission", "question"]
    directory: str | None = None


class PermissionReply(Struct, tag=True):
    """Answer a permission request. Body: true.

    If `session` is given, the request must belong to this session.
    """

    request: str
    body: PermissionBody
    session: str | None = None


class QuestionReply(Struct, tag=True):
    """Answer the questions of a request; `answers` None: the person declines. Body: true."""

    request: str
    answers: list[list[str]] | None


class TodoList(Struct, tag=True):
    """Return the todo list of a session. Body: Todo[]."""

    session: str


Command = (
    SessionCreate
    | SessionList
    | SessionGet
    | SessionPatch
    | SessionDelete
    | SessionChildren
    | SessionFork
    | SessionRevert
    | SessionDiff
    | SessionSummarize
    | MessageList
    | MessageGet
    | ToolOutput
    | MessageDelete
    | PartPatch
    | Shell
    | Slash
    | Prompt
    | TurnWait
    | More
    | Abort
    | Statuses
    | Describe
    | Directories
    | Dispose
    | SessionsV2
    | Search
    | Files
    | McpStatus
    | McpAdd
    | McpSwitch
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


class NumberedCommand(Struct, array_like=True):
    """A command with its number; each requester counts its own requests."""

    id: int
    command: Command
