"""Parts of a message and the states of a tool call, with fields named as on the wire.

Times are milliseconds since the Unix epoch. A field that is absent stays absent (`UNSET`), so
what is decoded here and encoded again has the same JSON.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType


class Span(Struct, omit_defaults=True):
    """When something started and, once it is over, ended (ms)."""

    start: int
    end: int | UnsetType = UNSET
    compacted: int | UnsetType = UNSET


class CacheTokens(Struct):
    """Tokens read from and written to a provider's prompt cache."""

    read: int = 0
    write: int = 0


class Tokens(Struct, omit_defaults=True):
    """Token counts of a step, a message or a session."""

    input: int
    output: int
    reasoning: int
    cache: CacheTokens
    total: int | UnsetType = UNSET

    @classmethod
    def none(cls) -> Tokens:
        """Return counts of zero."""
        return cls(input=0, output=0, reasoning=0, cache=CacheTokens())


class ToolPending(Struct, tag_field="status", tag="pending"):
    """The model has named the tool; its input is not complete."""

    input: dict[str, Any]
    raw: str


class ToolRunning(Struct, tag_field="status", tag="running", omit_defaults=True):
    """The tool runs; ``metadata`` may carry its output so far."""

    input: dict[str, Any]
    time: Span
    title: str | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class ToolCompleted(Struct, tag_field="status", tag="completed", omit_defaults=True):
    """The tool is done."""

    input: dict[str, Any]
    output: str
    title: str
    metadata: dict[str, Any]
    time: Span
    attachments: list[dict[str, Any]] | UnsetType = UNSET


class ToolError(Struct, tag_field="status", tag="error", omit_defaults=True):
    """The tool failed, or was refused."""

    input: dict[str, Any]
    error: str
    time: Span
    metadata: dict[str, Any] | UnsetType = UNSET


ToolState = ToolPending | ToolRunning | ToolCompleted | ToolError


class _Part(Struct, tag_field="type", omit_defaults=True, kw_only=True):
    id: str
    sessionID: str
    messageID: str


class TextPart(_Part, tag="text"):
    """Text of a user or of the model. Without ``time.end`` it still grows."""

    text: str
    synthetic: bool | UnsetType = UNSET
    ignored: bool | UnsetType = UNSET
    time: Span | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class ReasoningPart(_Part, tag="reasoning"):
    """What the model thought before it spoke."""

    text: str
    time: Span
    metadata: dict[str, Any] | UnsetType = UNSET


class ToolPart(_Part, tag="tool"):
    """One call of a tool."""

    callID: str
    tool: str
    state: ToolState
    metadata: dict[str, Any] | UnsetType = UNSET


class FilePart(_Part, tag="file"):
    """A file attached to a prompt or made by a tool; ``url`` may be a data URL."""

    mime: str
    url: str
    filename: str | UnsetType = UNSET
    source: dict[str, Any] | UnsetType = UNSET


class StepStartPart(_Part, tag="step-start"):
    """A request to the model begins."""

    snapshot: str | UnsetType = UNSET


class StepFinishPart(_Part, tag="step-finish"):
    """A request to the model is over: why, and what it cost (``cost`` in US dollars)."""

    reason: str
    cost: float
    tokens: Tokens
    snapshot: str | UnsetType = UNSET


class SnapshotPart(_Part, tag="snapshot"):
    """A snapshot of the work tree."""

    snapshot: str


class PatchPart(_Part, tag="patch"):
    """The files that a step changed."""

    hash: str
    files: list[str]


class AgentPart(_Part, tag="agent"):
    """A mention of an agent in a prompt."""

    name: str
    source: dict[str, Any] | UnsetType = UNSET


class RetryPart(_Part, tag="retry"):
    """A failed attempt that is tried again."""

    attempt: int
    error: dict[str, Any]
    time: dict[str, int]


class CompactionPart(_Part, tag="compaction"):
    """The history before this point was summed up."""

    auto: bool
    overflow: bool | UnsetType = UNSET
    tail_start_id: str | UnsetType = UNSET


class SubtaskPart(_Part, tag="subtask"):
    """Work handed to another agent."""

    prompt: str
    description: str
    agent: str
    model: dict[str, Any] | UnsetType = UNSET
    command: str | UnsetType = UNSET


Part = (
    TextPart
    | ReasoningPart
    | ToolPart
    | FilePart
    | StepStartPart
    | StepFinishPart
    | SnapshotPart
    | PatchPart
    | AgentPart
    | RetryPart
    | CompactionPart
    | SubtaskPart
)


def grows(kind: Any, end: Any) -> bool:
    """Tell whether deltas may lengthen a part of type `kind` with an `end`, if it has ended."""
    return kind in ("text", "reasoning") and end is None


def is_unfinished(kind: Any, end: Any, status: Any, delta: Any) -> bool:
    """Tell whether a snapshot will be replaced: of text that grows, or of a tool at work.

    A snapshot of opencode 1.2 may bring the `delta` that no event of its own brings.
    """
    if delta is not None:
        return False
    return status in ("pending", "running") if kind == "tool" else grows(kind, end)
