"""The events and the REST answers of a server, with the fields that the agent reads.

The types mirror opencode's JSON and the types in `bus.events`, so they have the same names.
Unknown fields are skipped, and most fields have a default, so that the agent still works with a
newer server that has changed a field. Times are in milliseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Raw, Struct


class Event(Struct):
    """One event of the stream; `properties` is JSON, and is decoded only if the type is needed."""

    type: str
    properties: Raw = Raw(b"{}")


class Delta(Struct):
    """The properties of ``message.part.delta``: text to append to a part of a message."""

    messageID: str
    partID: str
    field: str
    delta: str


class Time(Struct, frozen=True):
    """The times of a session, a message, a part or a tool call: when it changed or ended."""

    updated: float = 0
    completed: float | None = None
    end: float | None = None
    compacted: float | None = None

    @property
    def updated_iso(self) -> str | None:
        """The time of the last change as ISO 8601; None if it is not known."""
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
        """Return the value `name` of the metadata, None if there is no such value."""
        return self.metadata.get(name) if isinstance(self.metadata, dict) else None

    def given(self, name: str) -> Any:
        """Return the argument `name` of the call, None if there is no such argument."""
        return self.input.get(name) if isinstance(self.input, dict) else None


class Part(Struct):
    """A part of a message, of any type: text, reasoning, tool or file."""

    id: str
    messageID: str
    type: str
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
        """Whether the text of the part is complete."""
        return self.time is not None and self.time.end is not None


class PartUpdated(Struct):
    """The properties of ``message.part.updated``: a part as it is now."""

    part: Part


class PartRemoved(Struct):
    """The properties of ``message.part.removed``."""

    partID: str


class CacheTokens(Struct, frozen=True):
    """The number of tokens that were read from, and written to, the cache of the provider."""

    read: float = 0
    write: float = 0


class TokenCounts(Struct):
    """How many tokens a message has used."""

    input: float = 0
    output: float = 0
    reasoning: float = 0
    cache: CacheTokens = CacheTokens()

    @property
    def context(self) -> int:
        """How many tokens of the model's context the message and all before it use."""
        cached = self.cache.read + self.cache.write
        return int(self.input + self.output + self.reasoning + cached)


class Model(Struct):
    """The ids of a model and its provider; opencode's routes name the model `modelID` or `id`."""

    providerID: str = ""
    modelID: str = ""
    id: str = ""

    @property
    def name(self) -> str:
        """The name ``PROVIDER/MODEL``; empty if either id is missing."""
        model = self.modelID or self.id
        return f"{self.providerID}/{model}" if self.providerID and model else ""


class Failure(Struct):
    """The error with which a turn has failed."""

    name: str = "UnknownError"
    data: Any = None

    @property
    def words(self) -> str:
        """The error as a message for a person."""
        said = self.data.get("message") if isinstance(self.data, dict) else None
        return str(said or self.name)


class Message(Struct):
    """A message of a session, without its parts."""

    id: str
    role: str
    time: Time = Time()
    agent: str = ""
    model: Model | None = None
    providerID: str = ""
    modelID: str = ""
    cost: float = 0
    tokens: TokenCounts | None = None
    finish: str | None = None
    error: Failure | None = None

    @property
    def model_name(self) -> str:
        """The model ``PROVIDER/MODEL`` of a prompt or an answer; empty if it is not known."""
        if self.model is not None:
            return self.model.name
        return Model(self.providerID, self.modelID).name


class MessageUpdated(Struct):
    """The properties of ``message.updated``: a message as it is now."""

    info: Message


class Session(Struct):
    """A session (one conversation), as the server describes it."""

    id: str
    directory: str = ""
    title: str = ""
    parentID: str | None = None
    agent: str | None = None
    model: Model | None = None
    cost: float | None = None
    time: Time = Time()


class SessionChanged(Struct):
    """The properties of ``session.created``, ``session.updated`` and ``session.deleted``."""

    info: Session


class Status(Struct):
    """The status of a session: ``idle``, ``busy`` or ``retry``."""

    type: str = "idle"


class StatusChanged(Struct):
    """The properties of ``session.status``."""

    status: Status


class SessionFailed(Struct):
    """The properties of ``session.error``."""

    error: Failure | None = None


class Todo(Struct):
    """One entry of a todo list."""

    content: str = ""
    status: str = "pending"
    priority: str = "medium"


class TodosChanged(Struct):
    """The properties of ``todo.updated``: the whole todo list of a session."""

    todos: list[Todo]


class ToolRef(Struct, frozen=True):
    """Names the tool call that needs a permission or an answer; empty if no call needs it."""

    callID: str = ""


class PermissionRequest(Struct):
    """A permission that a tool waits for.

    It comes as the properties of ``permission.asked``, or from ``GET /permission``.
    """

    id: str
    sessionID: str
    permission: str = ""
    patterns: list[str] = []
    metadata: dict[str, Any] = {}
    tool: ToolRef = ToolRef()


class Choice(Struct):
    """One possible answer to a question."""

    label: str
    description: str = ""


class Asked(Struct):
    """One question to a person, with the answers to choose from."""

    question: str
    header: str = ""
    options: list[Choice] = []
    multiple: bool | None = None


class QuestionRequest(Struct):
    """Questions for whose answers a tool waits.

    They come as the properties of ``question.asked``, or from ``GET /question``.
    """

    id: str
    sessionID: str
    questions: list[Asked] = []
    tool: ToolRef = ToolRef()


class Settled(Struct):
    """The properties of the events that end a request.

    These are ``permission.replied``, ``question.replied`` and ``question.rejected``.
    """

    requestID: str


class Connected(Struct):
    """The properties of ``server.connected``.

    Attributes:
        resumed: whether the stream continues after the last event id without a gap; None from an
            opencode, which does not send this field.
    """

    resumed: bool | None = None


class SlashCommand(Struct):
    """An entry in the answer to ``GET /command``: a slash command of the server."""

    name: str
    description: str | None = None


class Stored(Struct):
    """A message with its parts, as ``GET /session/ID/message`` returns it."""

    info: Message
    parts: list[Part] = []
