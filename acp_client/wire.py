"""What the agent reads of a server: events and REST answers, as far as it needs them.

The shapes are opencode's, named as on the wire, and tolerant: what is not named here is skipped,
and what may be absent has a default. Times are ms. `bus.events` holds the whole truth; an editor
must not lose its agent to one field that a newer server spells differently.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

_T = TypeVar("_T")


class Event(Struct):
    """One event of the stream; `properties` is decoded by whoever knows the type."""

    type: str
    properties: Raw = Raw(b"{}")


class _Frame(Struct):
    """A frame of `/global/event`, which wraps the event, or of `/event`, which is the event."""

    payload: Event | None = None
    type: str = ""
    properties: Raw = Raw(b"{}")


class Delta(Struct):
    """Properties of ``message.part.delta``."""

    sessionID: str
    messageID: str
    partID: str
    field: str
    delta: str


class Time(Struct, frozen=True):
    """When something began, ended, or changed."""

    created: float = 0
    updated: float = 0
    completed: float | None = None
    end: float | None = None
    compacted: float | None = None

    @property
    def updated_iso(self) -> str | None:
        """The last change as ISO 8601, None where it is none."""
        try:
            return (
                datetime.fromtimestamp(self.updated / 1000, UTC).isoformat()
                if self.updated
                else None
            )
        except (ValueError, OverflowError):
            return None


class ToolState(Struct):
    """The state of a tool call: pending, running, completed or error."""

    status: str = "pending"
    input: Any = None
    output: Any = None
    title: str | None = None
    metadata: Any = None
    error: Any = None
    attachments: Any = None
    time: Time = Time()

    def noted(self, name: str) -> Any:
        """Return an entry of the metadata, None where there is none."""
        return self.metadata.get(name) if isinstance(self.metadata, dict) else None

    def given(self, name: str) -> Any:
        """Return an argument of the call, None where there is none."""
        return self.input.get(name) if isinstance(self.input, dict) else None


class Part(Struct):
    """A part of a message, of any type."""

    id: str
    messageID: str
    type: str
    sessionID: str = ""
    text: str = ""
    synthetic: bool | None = None
    ignored: bool | None = None
    time: Time | None = None
    callID: str = ""
    tool: str = ""
    state: ToolState | None = None
    url: str = ""
    mime: str = ""
    filename: str | None = None

    @property
    def closed(self) -> bool:
        """Tell whether its text is whole."""
        return self.time is not None and self.time.end is not None


class PartUpdated(Struct):
    """Properties of ``message.part.updated``."""

    part: Part
    sessionID: str = ""


class PartRemoved(Struct):
    """Properties of ``message.part.removed``."""

    partID: str


class CacheTokens(Struct, frozen=True):
    """Tokens read from and written to a prompt cache."""

    read: float = 0
    write: float = 0


class Tokens(Struct):
    """Token counts of a message."""

    input: float = 0
    output: float = 0
    reasoning: float = 0
    cache: CacheTokens = CacheTokens()

    @property
    def context(self) -> int:
        """How much of the model's context they fill."""
        cached = self.cache.read + self.cache.write
        return int(self.input + self.output + self.reasoning + cached)


class Model(Struct):
    """A model, by whichever names the server uses here."""

    providerID: str = ""
    modelID: str = ""
    id: str = ""

    @property
    def name(self) -> str:
        """Return ``PROVIDER/MODEL``, empty where one is missing."""
        model = self.modelID or self.id
        return f"{self.providerID}/{model}" if self.providerID and model else ""


class Failure(Struct):
    """Why a turn ended badly."""

    name: str = "UnknownError"
    data: Any = None

    @property
    def words(self) -> str:
        """Return it for a person."""
        said = self.data.get("message") if isinstance(self.data, dict) else None
        return str(said or self.name)


class Message(Struct):
    """A message without its parts."""

    id: str
    role: str
    sessionID: str = ""
    time: Time = Time()
    agent: str = ""
    model: Model | None = None
    providerID: str = ""
    modelID: str = ""
    cost: float = 0
    tokens: Tokens | None = None
    finish: str | None = None
    error: Failure | None = None

    @property
    def model_name(self) -> str:
        """Return ``PROVIDER/MODEL`` of either role, empty where there is none."""
        if self.model is not None:
            return self.model.name
        return Model(self.providerID, self.modelID).name


class MessageUpdated(Struct):
    """Properties of ``message.updated``."""

    info: Message
    sessionID: str = ""


class Session(Struct):
    """A session."""

    id: str
    directory: str = ""
    title: str = ""
    parentID: str | None = None
    agent: str | None = None
    model: Model | None = None
    cost: float | None = None
    time: Time = Time()


class SessionChanged(Struct):
    """Properties of ``session.created``, ``.updated`` and ``.deleted``."""

    info: Session


class Status(Struct):
    """What a session does: idle, busy or retry."""

    type: str = "idle"
    attempt: int = 0
    message: str = ""


class StatusChanged(Struct):
    """Properties of ``session.status``."""

    sessionID: str
    status: Status


class SessionFailed(Struct):
    """Properties of ``session.error``."""

    sessionID: str = ""
    error: Failure | None = None


class Todo(Struct):
    """A line of a todo list."""

    content: str = ""
    status: str = "pending"
    priority: str = "medium"


class TodosChanged(Struct):
    """Properties of ``todo.updated``."""

    sessionID: str
    todos: list[Todo]


class ToolRef(Struct, frozen=True):
    """The tool call that asks."""

    messageID: str = ""
    callID: str = ""


class Permission(Struct):
    """A tool that waits for leave: properties of ``permission.asked``, and of ``GET``."""

    id: str
    sessionID: str
    permission: str = ""
    patterns: list[str] = []
    metadata: dict[str, Any] = {}
    always: list[str] = []
    tool: ToolRef = ToolRef()


class Choice(Struct):
    """One answer offered to a question."""

    label: str
    description: str = ""


class Asked(Struct):
    """One question to a person."""

    question: str
    header: str = ""
    options: list[Choice] = []
    multiple: bool | None = None


class Question(Struct):
    """A tool that waits for answers: properties of ``question.asked``, and of ``GET``."""

    id: str
    sessionID: str
    questions: list[Asked] = []
    tool: ToolRef = ToolRef()


class Settled(Struct):
    """Properties of ``permission.replied``, ``question.replied`` and ``question.rejected``."""

    requestID: str


class Connected(Struct):
    """Properties of ``server.connected``; opencode tells nothing of a resumption."""

    resumed: bool | None = None


class SlashCommand(Struct):
    """An entry of ``GET /command``."""

    name: str
    description: str | None = None


class _Entity(Struct):
    id: str = ""
    sessionID: str = ""


class _Subject(Struct):
    sessionID: str = ""
    info: _Entity | None = None
    part: _Entity | None = None


class Stored(Struct):
    """A message with its parts, as REST has it."""

    info: Message
    parts: list[Part] = []


_frame = msgspec.json.Decoder(_Frame).decode


class Unreadable(ValueError):
    """A frame, or what is in it, is not what the type should hold."""


def event_of(data: bytes) -> Event:
    """Read a frame of either stream.

    Raises:
        Unreadable: it is no event.
    """
    try:
        frame = _frame(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        frame = _leniently(data, _Frame)
    event = frame.payload or Event(frame.type, frame.properties)
    if not event.type:
        raise Unreadable(f"no type: {data[:200]!r}")
    return event


def session_of(event: Event) -> str:
    """Return the session an event is about, empty if it is about none.

    opencode 1.2 names it in the entity alone.
    """
    try:
        subject = properties_of(event, _Subject)
    except Unreadable:
        return ""
    entity = subject.info or subject.part or _Entity()
    named = subject.sessionID or entity.sessionID
    return named or (entity.id if event.type.startswith("session.") else "")


def properties_of(event: Event, kind: type[_T]) -> _T:
    """Read the properties of an event.

    Raises:
        Unreadable: they lack something that `kind` needs.
    """
    return read(bytes(event.properties), kind)


def read(data: bytes, kind: type[_T]) -> _T:
    """Read JSON as a type of this module, or a list or dictionary of one.

    Raises:
        Unreadable: it is no JSON, or does not fit.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _leniently(data, kind)


def _leniently(data: bytes, kind: type[_T]) -> _T:
    """Read what msgspec refuses: text with half a surrogate pair, which JavaScript can send."""
    try:
        decoded = json.loads(data)
        if kind is _Frame and isinstance(decoded, dict):
            return msgspec.convert(_raw(decoded), kind)
        # The halves of a pair may come in two deltas; anywhere else a half stays one.
        return msgspec.convert(decoded if kind is Delta else _whole(decoded), kind)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{error}: {data[:200]!r}") from None


def _raw(frame: dict[str, Any]) -> dict[str, Any]:
    """Give the properties of a frame back as JSON, which a `Raw` field takes."""
    payload = frame.get("payload")
    if isinstance(payload, dict):
        return {"payload": _raw(payload)}
    raw = {"properties": Raw(json.dumps(frame.get("properties", {})).encode())}
    return {"type": frame.get("type", ""), **raw}


def _whole(decoded: Any) -> Any:
    """Return JSON without halves of surrogate pairs, which no editor could be sent."""
    text = json.dumps(decoded, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
