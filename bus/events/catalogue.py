"""Every event type weir knows, each in one declaration.

To add an event type:

1. Declare an `EventType` here: its name on the wire, its policy, and which entity its events are
   about. A new kind of entity is an `Entity` beside the others.
2. If weir itself publishes or reads its properties, decorate a class of them with `typed`. Else
   `declare` the type, or add its name to the list at the end.

Coalescing, ledger, filters, catch-up and resumption follow from the declaration. So does healing:
fetching the events that were missed while the stream of an opencode was cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from msgspec import UNSET, Struct, UnsetType

from bus.events.event_type import Entity, EventType, declare
from bus.events.message import Failure, Message
from bus.events.part import Part, is_unfinished
from bus.events.policy import Policy
from bus.events.session import Question, Session, Status, Todo, ToolRef, works

SESSION = Entity("session", rank=0, fetched=True)
MESSAGE = Entity("message", rank=1, fetched=True)
PART = Entity("part", rank=2, owner=MESSAGE, grows=True, fetched=True)
REQUEST = Entity("request", rank=3, asks=True, fetched=True)
DIFF = Entity("diff", rank=4, fetched=True)
TODOS = Entity("todos", rank=5, fetched=True)
ERROR = Entity("error", rank=7, once=True)
STATUS = Entity("status", rank=8, fetched=True)
"""A session's status. Readers that catch up get it last, after the events that led to it."""


class Properties(Struct, omit_defaults=True, kw_only=True):
    """Base of every typed event; ``type`` is its name on the wire."""

    type: ClassVar[str]


_P = TypeVar("_P", bound=type[Properties])


def typed(kind: EventType) -> Callable[[_P], _P]:
    """Declare an event type whose properties are the decorated class."""

    def enter(cls: _P) -> _P:
        cls.type = declare(kind)
        return cls

    return enter


@typed(
    EventType(
        "session.created",
        snapshot_of=SESSION,
        value="info",
        session="info.id",
        upsert_as="session.updated",
    )
)
class SessionCreated(Properties):
    """A session was created."""

    sessionID: str
    info: Session


@typed(EventType("session.updated", snapshot_of=SESSION, value="info", session="info.id"))
class SessionUpdated(Properties):
    """A session was changed; ``info`` is the whole session."""

    sessionID: str
    info: Session


@typed(EventType("session.deleted", removal_of=SESSION, session="info.id"))
class SessionDeleted(Properties):
    """A session and its messages were removed."""

    sessionID: str
    info: Session


@typed(
    EventType(
        "session.status",
        snapshot_of=STATUS,
        value="status",
        provisional=works,
        judged_by=("status.type",),
    )
)
class SessionStatus(Properties):
    """Whether a session works, waits to try again, or is idle."""

    sessionID: str
    status: Status


@typed(EventType("session.idle"))
class SessionIdle(Properties):
    """A turn is over; sent twice after an abort or an error."""

    sessionID: str


@typed(EventType("session.compacted"))
class SessionCompacted(Properties):
    """A summary stands for the messages before it."""

    sessionID: str


@typed(EventType("session.error", snapshot_of=ERROR, value="error"))
class SessionError(Properties):
    """A turn failed or was aborted."""

    sessionID: str | UnsetType = UNSET
    error: Failure | UnsetType = UNSET


@typed(EventType("message.updated", snapshot_of=MESSAGE, value="info", id="info.id"))
class MessageUpdated(Properties):
    """A message is new or changed; ``info`` is the whole message without its parts."""

    sessionID: str
    info: Message


@typed(
    EventType(
        "message.part.updated",
        Policy.LATEST,
        snapshot_of=PART,
        value="part",
        id="part.id",
        owner="part.messageID",
        provisional=is_unfinished,
        judged_by=("part.type", "part.time.end", "part.state.status", "delta"),
    )
)
class PartUpdated(Properties):
    """A part is new or changed; ``part`` is the whole part. ``time`` in ms."""

    sessionID: str
    part: Part
    time: int


@typed(
    EventType("message.part.delta", Policy.APPEND, text_for=PART, id="partID", owner="messageID")
)
class PartDelta(Properties, forbid_unknown_fields=True, gc=False):
    """``delta`` is text to append to the ``field`` (so far always "text") of a part."""

    sessionID: str
    messageID: str
    partID: str
    field: str
    delta: str


@typed(EventType("permission.asked", snapshot_of=REQUEST, id="id"))
class PermissionAsked(Properties):
    """A tool waits for a permission to run."""

    id: str
    sessionID: str
    permission: str
    patterns: list[str]
    metadata: dict[str, Any]
    always: list[str]
    tool: ToolRef | UnsetType = UNSET


@typed(EventType("permission.replied", removal_of=REQUEST, id="requestID"))
class PermissionReplied(Properties):
    """The permission was given (``once``, ``always``) or refused (``reject``)."""

    sessionID: str
    requestID: str
    reply: str


@typed(EventType("question.asked", snapshot_of=REQUEST, id="id"))
class QuestionAsked(Properties):
    """A tool waits for a person's answer."""

    id: str
    sessionID: str
    questions: list[Question]
    tool: ToolRef | UnsetType = UNSET


@typed(EventType("question.replied", removal_of=REQUEST, id="requestID"))
class QuestionReplied(Properties):
    """A person has answered a model's questions: for each, the labels of the chosen options."""

    sessionID: str
    requestID: str
    answers: list[list[str]]


@typed(EventType("question.rejected", removal_of=REQUEST, id="requestID"))
class QuestionRejected(Properties):
    """A person has declined to answer the questions."""

    sessionID: str
    requestID: str


@typed(EventType("todo.updated", snapshot_of=TODOS, value="todos"))
class TodoUpdated(Properties):
    """The whole todo list of a session."""

    sessionID: str
    todos: list[Todo]


@typed(EventType("message.removed", removal_of=MESSAGE, id="messageID"))
class MessageRemoved(Properties):
    """A message and its parts are gone."""

    sessionID: str
    messageID: str


@typed(EventType("message.part.removed", removal_of=PART, id="partID", owner="messageID"))
class PartRemoved(Properties):
    """A part of a message is gone."""

    sessionID: str
    messageID: str
    partID: str


@typed(EventType("command.executed"))
class CommandExecuted(Properties):
    """A prompt was made from the template of a command."""

    name: str
    sessionID: str
    arguments: str
    messageID: str


@typed(EventType("server.instance.disposed", for_any_session=True, ends_streams=True))
class InstanceDisposed(Properties):
    """Clients of a directory have to read everything again."""

    directory: str


@typed(EventType("global.disposed", for_any_session=True))
class GlobalDisposed(Properties):
    """All clients have to read everything again."""


MESSAGE_REMOVED, PART_REMOVED = MessageRemoved.type, PartRemoved.type
SESSION_DIFF = declare(EventType("session.diff", snapshot_of=DIFF, value="diff"))
SERVER_CONNECTED = declare(EventType("server.connected", Policy.NEVER))
"""The first event of every stream: the reader misses no event that is published after it."""
SERVER_HEARTBEAT = declare(EventType("server.heartbeat", Policy.NEVER))

# opencode's copy of another event, sent only on ``/global/event``.
declare(EventType("sync", Policy.NEVER, for_global=True))

for _name in (
    "file.edited",
    "file.watcher.updated",
    "vcs.branch.updated",
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
    declare(EventType(_name, Policy.NEVER))
