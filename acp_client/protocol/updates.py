"""The updates that an agent sends to an editor: the kinds of ``session/update`` on the wire."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType


class TextBlock(Struct, tag_field="type", tag="text"):
    """Markdown, or plain text."""

    text: str


class ImageBlock(Struct, tag_field="type", tag="image"):
    """An image, in base64."""

    data: str
    mimeType: str


class LinkBlock(Struct, tag_field="type", tag="resource_link", omit_defaults=True):
    """A file or a page, by its address."""

    name: str
    uri: str
    mimeType: str | UnsetType = UNSET


Block = TextBlock | ImageBlock | LinkBlock


class _Update(Struct, tag_field="sessionUpdate", omit_defaults=True, kw_only=True):
    """Base of all updates."""


class UserChunk(_Update, tag="user_message_chunk"):
    """A piece of a prompt, when a history is replayed."""

    content: Block
    messageId: str


class AgentChunk(_Update, tag="agent_message_chunk"):
    """A piece of an answer; all chunks with one id are one message."""

    content: Block
    messageId: str


class ThoughtChunk(_Update, tag="agent_thought_chunk"):
    """A piece of the model's reasoning."""

    content: Block
    messageId: str


class Content(Struct, tag_field="type", tag="content"):
    """A block in a tool call."""

    content: Block


class Diff(Struct, tag_field="type", tag="diff", frozen=True):
    """A change of one file; `oldText` None: the file is new."""

    path: str
    oldText: str | None
    newText: str


ToolContent = Content | Diff


class Location(Struct, omit_defaults=True):
    """A file that the agent works on, for editors that follow it; lines count from 1."""

    path: str
    line: int | UnsetType = UNSET


class ToolFields(_Update, kw_only=True):
    """The fields of a tool call."""

    toolCallId: str
    title: str | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    content: list[ToolContent] | UnsetType = UNSET
    locations: list[Location] | UnsetType = UNSET
    rawInput: Any = UNSET
    rawOutput: Any = UNSET


class NewToolCall(ToolFields, tag="tool_call"):
    """A tool call that is new to the editor."""


class ToolCallUpdate(ToolFields, tag="tool_call_update"):
    """Changes of a tool call; `content` and `locations` replace the earlier ones."""


class PlanEntry(Struct):
    """A line of a plan."""

    content: str
    priority: str
    status: str


class Plan(_Update, tag="plan"):
    """The whole plan."""

    entries: list[PlanEntry]


class Command(Struct):
    """A slash command."""

    name: str
    description: str
    input: dict[str, str] | None = None


class Commands(_Update, tag="available_commands_update"):
    """All slash commands that exist now."""

    availableCommands: list[Command]


class ModeChanged(_Update, tag="current_mode_update"):
    """The mode of the session has changed."""

    currentModeId: str


class OptionsChanged(_Update, tag="config_option_update"):
    """All options of a session, and their values."""

    configOptions: list[dict[str, Any]]


class InfoChanged(_Update, tag="session_info_update"):
    """The title of a session, and its last change (ISO 8601)."""

    title: str | UnsetType | None = UNSET
    updatedAt: str | UnsetType = UNSET


class Cost(Struct):
    """The cost of a session so far."""

    amount: float
    currency: str = "USD"


class UsageUpdate(_Update, tag="usage_update"):
    """How many tokens are in the model's context, and how many fit."""

    used: int
    size: int
    cost: Cost | UnsetType = UNSET


class Notice(_Update, tag="notice"):
    """A message for the person, for editors that show notices."""

    severity: str
    title: str


Update = (
    UserChunk
    | AgentChunk
    | ThoughtChunk
    | NewToolCall
    | ToolCallUpdate
    | Plan
    | Commands
    | ModeChanged
    | OptionsChanged
    | InfoChanged
    | UsageUpdate
    | Notice
)
