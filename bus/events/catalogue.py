"""Every event type weir knows: its name and properties on the wire, and its policy.

A class is one type; its fields are the event's ``properties``. `event` enters it in the table of
`bus.events.policy`. Types without properties worth typing are declared at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from msgspec import UNSET, Struct, UnsetType

from bus.events.message import Failure, Message
from bus.events.part import Part
from bus.events.policy import Policy, declare
from bus.events.session import FileDiff, Question, Session, Status, Todo, ToolRef


class Properties(Struct, omit_defaults=True, kw_only=True):
    """Base of every typed event; ``type`` is its name on the wire."""

    type: ClassVar[str]


_P = TypeVar("_P", bound=type[Properties])


def event(name: str, policy: Policy) -> Callable[[_P], _P]:
    """Name the decorated event type as on the wire, and declare its policy."""

    def enter(cls: _P) -> _P:
        cls.type = name
        declare(name, policy)
        return cls

    return enter


@event("session.created", Policy.BARRIER)
class SessionCreated(Properties):
    """A session exists from now on."""

    sessionID: str
    info: Session


@event("session.updated", Policy.BARRIER)
class SessionUpdated(Properties):
    """A session changed; ``info`` is all of it."""

    sessionID: str
    info: Session


@event("session.deleted", Policy.BARRIER)
class SessionDeleted(Properties):
    """A session and its messages are gone."""

    sessionID: str
    info: Session


@event("session.status", Policy.BARRIER)
class SessionStatus(Properties):
    """What a session is doing."""

    sessionID: str
    status: Status


@event("session.idle", Policy.BARRIER)
class SessionIdle(Properties):
    """A turn is over; twice after an abort or error."""

    sessionID: str


@event("session.compacted", Policy.BARRIER)
class SessionCompacted(Properties):
    """A session's history was summed up."""

    sessionID: str


@event("session.diff", Policy.BARRIER)
class SessionDiff(Properties):
    """What a session has changed on disk so far."""

    sessionID: str
    diff: list[FileDiff]


@event("session.error", Policy.BARRIER)
class SessionError(Properties):
    """A turn failed or was aborted."""

    sessionID: str | UnsetType = UNSET
    error: Failure | UnsetType = UNSET


@event("message.updated", Policy.BARRIER)
class MessageUpdated(Properties):
    """A message is new or changed; ``info`` is all of it but its parts."""

    sessionID: str
    info: Message


@event("message.removed", Policy.BARRIER)
class MessageRemoved(Properties):
    """A message and its parts are gone."""

    sessionID: str
    messageID: str


@event("message.part.updated", Policy.LATEST)
class PartUpdated(Properties):
    """A part is new or changed; ``part`` is all of it. ``time`` in ms."""

    sessionID: str
    part: Part
    time: int


@event("message.part.delta", Policy.APPEND)
class PartDelta(Properties):
    """``delta`` is appended to ``field`` (always "text" today) of a part."""

    sessionID: str
    messageID: str
    partID: str
    field: str
    delta: str


@event("message.part.removed", Policy.BARRIER)
class PartRemoved(Properties):
    """A part is gone."""

    sessionID: str
    messageID: str
    partID: str


@event("permission.asked", Policy.BARRIER)
class PermissionAsked(Properties):
    """A tool waits for leave to run."""

    id: str
    sessionID: str
    permission: str
    patterns: list[str]
    metadata: dict[str, Any]
    always: list[str]
    tool: ToolRef | UnsetType = UNSET


@event("permission.replied", Policy.BARRIER)
class PermissionReplied(Properties):
    """Leave was given (``once``, ``always``) or refused (``reject``)."""

    sessionID: str
    requestID: str
    reply: str


@event("question.asked", Policy.BARRIER)
class QuestionAsked(Properties):
    """A tool waits for a person's answer."""

    id: str
    sessionID: str
    questions: list[Question]
    tool: ToolRef | UnsetType = UNSET


@event("question.replied", Policy.BARRIER)
class QuestionReplied(Properties):
    """The answers, a list of labels for each question."""

    sessionID: str
    requestID: str
    answers: list[list[str]]


@event("question.rejected", Policy.BARRIER)
class QuestionRejected(Properties):
    """Nobody wants to answer."""

    sessionID: str
    requestID: str


@event("todo.updated", Policy.BARRIER)
class TodoUpdated(Properties):
    """The whole todo list of a session."""

    sessionID: str
    todos: list[Todo]


@event("command.executed", Policy.BARRIER)
class CommandExecuted(Properties):
    """A slash command ran."""

    name: str
    sessionID: str
    arguments: str
    messageID: str


@event("server.instance.disposed", Policy.BARRIER)
class InstanceDisposed(Properties):
    """The instance of one directory is gone: the last event of its `/event` streams."""

    directory: str


@event("global.disposed", Policy.BARRIER)
class GlobalDisposed(Properties):
    """Every instance is gone."""


@event("server.connected", Policy.NEVER)
class ServerConnected(Properties):
    """The first event of every stream: whatever follows it is not missed."""


@event("server.heartbeat", Policy.NEVER)
class ServerHeartbeat(Properties):
    """The stream is alive although nothing happens."""


@event("file.edited", Policy.NEVER)
class FileEdited(Properties):
    """A tool wrote a file."""

    file: str


@event("file.watcher.updated", Policy.NEVER)
class FileWatcherUpdated(Properties):
    """A file changed on disk: ``add``, ``change`` or ``unlink``."""

    file: str
    event: str


@event("vcs.branch.updated", Policy.NEVER)
class BranchUpdated(Properties):
    """The work tree is on another branch."""

    branch: str | UnsetType = UNSET


SYNC = "sync"
"""The twin of a durable event, on `/global/event` alone: never dropped, and in nobody's way."""
declare(SYNC, Policy.NEVER)

for _type in (
    "lsp.updated",
    "mcp.tools.changed",
    "mcp.browser.open.failed",
    "project.updated",
    "project.directories.updated",
    "installation.updated",
    "installation.update-available",
    "pty.created",
    "pty.updated",
    "pty.exited",
    "pty.deleted",
    "tui.prompt.append",
    "tui.command.execute",
    "tui.toast.show",
    "tui.session.select",
    "workspace.ready",
    "workspace.failed",
    "workspace.status",
    "worktree.ready",
    "worktree.failed",
    "models-dev.refreshed",
    "catalog.updated",
    "integration.updated",
    "integration.connection.updated",
    "plugin.added",
    "reference.updated",
):
    declare(_type, Policy.NEVER)
