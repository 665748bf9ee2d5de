"""Bodies of the HTTP requests that change something; fields are named as on the wire.

Decoding checks a body, and an error names the wrong field.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=128)]
MOST_PARTS = 1000
"""How many parts one prompt may have: each part becomes an event."""
Milliseconds = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""A time in ms since the Unix epoch, in the range of JavaScript's exact integers."""


class TextInput(Struct, tag_field="type", tag="text", kw_only=True):
    """A text part of a prompt."""

    text: str
    id: Id | None = None
    synthetic: bool | None = None
    ignored: bool | None = None
    time: dict[str, Milliseconds] | None = None
    metadata: dict[str, Any] | None = None


class FileInput(Struct, tag_field="type", tag="file", kw_only=True):
    """A file part of a prompt; ``url`` may be a ``data:`` or ``file:`` URL."""

    mime: str
    url: str
    id: Id | None = None
    filename: str | None = None
    source: dict[str, Any] | None = None


PartInput = TextInput | FileInput


class ModelInput(Struct):
    """The model that a prompt chooses."""

    providerID: str
    modelID: str


class PromptBody(Struct, kw_only=True):
    """Body of ``POST /session/{id}/message`` and ``…/prompt_async``."""

    parts: Annotated[list[PartInput], Meta(min_length=1, max_length=MOST_PARTS)]
    messageID: Id | None = None
    model: ModelInput | None = None
    agent: str | None = None
    noReply: bool = False
    tools: dict[str, bool] | None = None
    format: dict[str, Any] | None = None
    system: str | None = None
    variant: str | None = None


class SessionModelInput(Struct):
    """The model a new session starts with."""

    id: str
    providerID: str
    variant: str | None = None


class CreateBody(Struct, kw_only=True):
    """Body of ``POST /session``; an empty one is allowed."""

    parentID: Id | None = None
    title: str | None = None
    agent: str | None = None
    model: SessionModelInput | None = None
    metadata: dict[str, Any] | None = None
    permission: Any = None


class PatchTime(Struct, kw_only=True):
    """The time (ms) from which a session counts as archived."""

    archived: Milliseconds | None = None


class PatchBody(Struct, kw_only=True):
    """Body of ``PATCH /session/{id}``."""

    title: str | None = None
    metadata: dict[str, Any] | None = None
    permission: Any = None
    time: PatchTime | None = None


class ForkBody(Struct, kw_only=True):
    """Body of ``POST /session/{id}/fork``; an empty body copies all messages."""

    messageID: Id | None = None


class RevertBody(Struct, kw_only=True):
    """Body of ``POST /session/{id}/revert``: from which message or part on."""

    messageID: Id
    partID: Id | None = None


class SummarizeBody(Struct, kw_only=True):
    """Body of ``POST /session/{id}/summarize``."""

    providerID: str
    modelID: str
    auto: bool | None = None


class ShellBody(Struct, kw_only=True):
    """Body of ``POST /session/{id}/shell``."""

    command: Annotated[str, Meta(min_length=1)]
    agent: str | None = None
    model: ModelInput | None = None
    messageID: Id | None = None


class SlashBody(Struct, kw_only=True):
    """Body of ``POST /session/{id}/command``; ``model`` is ``provider/model``."""

    command: Annotated[str, Meta(min_length=1)]
    arguments: str
    agent: str | None = None
    model: str | None = None
    variant: str | None = None
    messageID: Id | None = None
    parts: Annotated[list[FileInput], Meta(max_length=MOST_PARTS)] = []


class PermissionBody(Struct, kw_only=True):
    """Body of ``POST /permission/{id}/reply``."""

    reply: Literal["once", "always", "reject"]
    message: str | None = None


class PermissionResponse(Struct, kw_only=True):
    """Body of ``POST /session/{id}/permissions/{id}``, the older form of a permission reply."""

    response: Literal["once", "always", "reject"]


class AnswersBody(Struct, kw_only=True):
    """Body of ``POST /question/{id}/reply``: for each question the list of chosen labels."""

    answers: list[list[str]]
