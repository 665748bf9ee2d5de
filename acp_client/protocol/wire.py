"""The events and REST answers of a server, as far as the agent reads them.

The types mirror opencode's JSON and the types in `bus.events`, so they have the same names. They
are tolerant: unknown fields are skipped, and fields that may be absent have a default. An editor
must not lose its agent because a newer server spells one field differently. Times are ms.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Raw, Struct


class Event(Struct):
    """One event of the stream; `properties` is decoded only if the type matters."""

    type: str
    properties: Raw = Raw(b"{}")


class Delta(Struct):
    """Properties of ``message.part.delta``."""

    messageID: str
    partID: str
    field: str
    delta: str


class Time(Struct, frozen=True):
    """The times at which something began, ended, or changed."""

    updated: float = 0
    completed: float | None = None
    end: float | None = None
    compacted: float | None = None

    @property
    def updated_iso(self) -> str | None:
        """The last change as ISO 8601, None if there is none."""
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
        """Return a value of the metadata, None if there is none."""
        return self.metadata.get(name) if isinstance(self.metadata, dict) else None

    def given(self, name: str) -> Any:
        """Return an argument of the call, None if there is none."""
        return self.input.get(name) if isinstance(self.input, dict) else None


class Part(Struct):
    """A part of a message, of any type."""

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
        """Whether its text is complete."""
        return self.time is not None and self.time.end is not None


class PartUpdated(Struct):
    """Properties of ``message.part.updated``."""

    part: Part


class PartRemoved(Struct):
    """Properties of ``message.part.removed``."""

    partID: str


class CacheTokens(Struct, frozen=True):
    """Tokens read from and written to a prompt cache."""

    read: float = 0
    write: float = 0


class TokenCounts(Struct):
    """Token counts of a message."""

    input: float = 0
    output: float = 0
    reasoning: float = 0
    cache: CacheTokens = CacheTokens()

    @property
    def context(self) -> int:
        """How many tokens of the model's context are used."""
        cached = self.cache.read + self.cache.write
        return int(self.input + self.output + self.reasoning + cached)


class Model(Struct):
    """A model; which of the ids are present depends on the route."""

    providerID: str = ""
    modelID: str = ""
    id: str = ""

    @property
    def name(self) -> str:
        """Return ``PROVIDER/MODEL``, empty if either is missing."""
        model = self.modelID or self.id
        return f"{self.providerID}/{model}" if self.providerID and model else ""


class Failure(Struct):
    """Why a turn failed."""

    name: str = "UnknownError"
    data: Any = None

    @property
    def words(self) -> str:
        """Return the error as a message for a person."""
        said = self.data.get("message") if isinstance(self.data, dict) else None
        return str(said or self.name)


class Message(Struct):
    """A message without its parts."""

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
        """Return ``PROVIDER/MODEL`` of a message of either role, empty if there is none."""
        if self.model is not None:
            return self.model.name
        return Model(self.providerID, self.modelID).name


class MessageUpdated(Struct):
    """Properties of ``message.updated``."""

    info: Message


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


class StatusChanged(Struct):
    """Properties of ``session.status``."""

    status: Status


class SessionFailed(Struct):
    """Properties of ``session.error``."""

    error: Failure | None = None


class Todo(Struct):
    """A line of a todo list."""

    content: str = ""
    status: str = "pending"
    priority: str = "medium"


class TodosChanged(Struct):
    """Properties of ``todo.updated``."""

    todos: list[Todo]


class ToolRef(Struct, frozen=True):
    """The tool call that asks for a permission or an answer."""

    callID: str = ""


class PermissionRequest(Struct):
    """A tool waits for permission: properties of ``permission.asked``, or from a ``GET``."""

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
    """One question to a person."""

    question: str
    header: str = ""
    options: list[Choice] = []
    multiple: bool | None = None


class QuestionRequest(Struct):
    """A tool waits for answers: properties of ``question.asked``, or from a ``GET``."""

    id: str
    sessionID: str
    questions: list[Asked] = []
    tool: ToolRef = ToolRef()


class Settled(Struct):
    """Properties of ``permission.replied``, ``question.replied`` and ``question.rejected``."""

    requestID: str


class Connected(Struct):
    """Properties of ``server.connected``; opencode does not send `resumed`."""

    resumed: bool | None = None


class SlashCommand(Struct):
    """An entry of ``GET /command``."""

    name: str
    description: str | None = None


class Stored(Struct):
    """A message with its parts, as REST returns it."""

    info: Message
    parts: list[Part] = []
