"""Parts of a message and the states of a tool call, with fields named as on the wire.

Times are milliseconds since the Unix epoch. An absent field stays absent (`UNSET`), so decoding a
part and encoding it again gives the same JSON.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType


class Span(Struct, omit_defaults=True):
    """The times (ms) at which something started and, once it is over, ended."""

    start: int
    end: int | UnsetType = UNSET
    compacted: int | UnsetType = UNSET


class CacheTokens(Struct):
    """Tokens read from and written to a provider's prompt cache."""

    read: int = 0
    write: int = 0


class TokenCounts(Struct, omit_defaults=True):
    """Token counts of a step, a message or a session."""

    input: int
    output: int
    reasoning: int
    cache: CacheTokens
    total: int | UnsetType = UNSET

    @classmethod
    def none(cls) -> TokenCounts:
        """Return counts of zero."""
        return cls(input=0, output=0, reasoning=0, cache=CacheTokens())


class ToolPending(Struct, tag_field="status", tag="pending"):
    """The model has named the tool; the input is not yet complete."""

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
    """Text of the user or of the model. Without ``time.end`` the text still grows."""

    text: str
    synthetic: bool | UnsetType = UNSET
    ignored: bool | UnsetType = UNSET
    time: Span | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class ReasoningPart(_Part, tag="reasoning"):
    """The model's reasoning."""

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
    """A request to the model has ended: the reason, and its cost (``cost`` in US dollars)."""

    reason: str
    cost: float
    tokens: TokenCounts
    snapshot: str | UnsetType = UNSET


class SnapshotPart(_Part, tag="snapshot"):
    """A snapshot of the work tree."""

    snapshot: str


class PatchPart(_Part, tag="patch"):
    """The files that a step has changed."""

    hash: str
    files: list[str]


class AgentPart(_Part, tag="agent"):
    """A mention of an agent in a prompt."""

    name: str
    source: dict[str, Any] | UnsetType = UNSET


class RetryPart(_Part, tag="retry"):
    """An attempt that failed and will be repeated."""

    attempt: int
    error: dict[str, Any]
    time: dict[str, int]


class CompactionPart(_Part, tag="compaction"):
    """The history before this point was replaced by a summary."""

    auto: bool
    overflow: bool | UnsetType = UNSET
    tail_start_id: str | UnsetType = UNSET


class SubtaskPart(_Part, tag="subtask"):
    """Work that another agent does."""

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
    """Return whether deltas may still append to a part of type `kind`; `end` is its end time."""
    return kind in ("text", "reasoning") and end is None


def is_unfinished(kind: Any, end: Any, status: Any, delta: Any) -> bool:
    """Return whether a later snapshot will replace this one, because text grows or a tool runs.

    A snapshot of opencode 1.2 may have a `delta` field; 1.2 sends no delta events.
    """
    if delta is not None:
        return False
    return status in ("pending", "running") if kind == "tool" else grows(kind, end)
