"""Messages and the errors that end them, with fields named as on the wire (times in ms)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from bus.events.part import TokenCounts


class ModelRef(Struct, omit_defaults=True):
    """The model of a user message."""

    providerID: str
    modelID: str
    variant: str | UnsetType = UNSET


class MessageTime(Struct, omit_defaults=True):
    """The times at which a message was created and, once it is whole, completed."""

    created: int
    completed: int | UnsetType = UNSET


class MessagePath(Struct):
    """The folder in which the turn worked, and the root of the project."""

    cwd: str
    root: str


class Failure(Struct):
    """Why a turn failed: one of the names of `WIRE.md` §2, and data of the error.

    ``data.message`` is the reason in words.
    """

    name: str
    data: dict[str, Any] = field(default_factory=dict)


class UserMessage(Struct, tag_field="role", tag="user", omit_defaults=True, kw_only=True):
    """A user's message: the prompt of a turn."""

    id: str
    sessionID: str
    time: MessageTime
    agent: str
    model: ModelRef
    format: dict[str, Any] | UnsetType = UNSET
    summary: dict[str, Any] | UnsetType = UNSET
    system: str | UnsetType = UNSET
    tools: dict[str, bool] | UnsetType = UNSET


class AssistantMessage(
    Struct, tag_field="role", tag="assistant", omit_defaults=True, kw_only=True
):
    """The answer of a turn; at its end it gets ``time.completed`` and ``finish``, the reason."""

    id: str
    sessionID: str
    time: MessageTime
    parentID: str
    modelID: str
    providerID: str
    mode: str
    agent: str
    path: MessagePath
    cost: float
    tokens: TokenCounts
    error: Failure | UnsetType = UNSET
    summary: bool | UnsetType = UNSET
    structured: Any | UnsetType = UNSET
    variant: str | UnsetType = UNSET
    finish: str | UnsetType = UNSET


Message = UserMessage | AssistantMessage
