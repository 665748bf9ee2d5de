"""Sessions, their status, and the questions they ask a person; fields are named as on the wire."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from bus.events.part import TokenCounts


class SessionTime(Struct, omit_defaults=True):
    """The times (ms) at which a session was created, last changed, and archived."""

    created: int
    updated: int
    compacting: int | UnsetType = UNSET
    archived: int | UnsetType = UNSET


class SessionModel(Struct, omit_defaults=True):
    """The model that a session uses for prompts that name no model."""

    id: str
    providerID: str
    variant: str | UnsetType = UNSET


class Session(Struct, omit_defaults=True, kw_only=True):
    """A conversation in one directory."""

    id: str
    slug: str
    projectID: str
    directory: str
    title: str
    version: str
    time: SessionTime
    workspaceID: str | UnsetType = UNSET
    path: str | UnsetType = UNSET
    parentID: str | UnsetType = UNSET
    summary: dict[str, Any] | UnsetType = UNSET
    cost: float | UnsetType = UNSET
    tokens: TokenCounts | UnsetType = UNSET
    share: dict[str, Any] | UnsetType = UNSET
    agent: str | UnsetType = UNSET
    model: SessionModel | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    permission: Any | UnsetType = UNSET
    revert: dict[str, Any] | UnsetType = UNSET


class Idle(Struct, tag_field="type", tag="idle"):
    """No turn runs."""


class Busy(Struct, tag_field="type", tag="busy"):
    """A turn runs."""


class Retry(Struct, tag_field="type", tag="retry", omit_defaults=True):
    """The provider failed; attempt number ``attempt`` starts at the time ``next`` (ms)."""

    attempt: int
    message: str
    next: int
    action: dict[str, Any] | UnsetType = UNSET


Status = Idle | Busy | Retry


def works(status: Any) -> bool:
    """Return whether a status of this type means that the session works."""
    return bool(status != "idle")


class ToolRef(Struct):
    """The tool call that asks for a permission or an answer."""

    messageID: str
    callID: str


class Option(Struct):
    """One possible answer to a question."""

    label: str
    description: str


class Question(Struct, omit_defaults=True):
    """One question to a person."""

    question: str
    header: str
    options: list[Option]
    multiple: bool | UnsetType = UNSET
    custom: bool | UnsetType = UNSET


class FileDiff(Struct, omit_defaults=True):
    """What a session has changed in a file; `patch` is a unified diff."""

    additions: int
    deletions: int
    file: str | UnsetType = UNSET
    patch: str | UnsetType = UNSET
    status: str | UnsetType = UNSET


class Todo(Struct, omit_defaults=True):
    """One line of a todo list; opencode 1.2.27 also sends an ``id``."""

    content: str
    status: str
    priority: str
    id: str | UnsetType = UNSET
