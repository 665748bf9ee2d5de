"""The updates that the agent sends to the editor: all kinds of ACP's ``session/update``."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType


class TextBlock(Struct, tag_field="type", tag="text"):
    """A content block of text, which editors show as markdown."""

    text: str


class ImageBlock(Struct, tag_field="type", tag="image"):
    """A content block with an image, in base64."""

    data: str
    mimeType: str


class LinkBlock(Struct, tag_field="type", tag="resource_link", omit_defaults=True):
    """A content block with the URI of a file or a web page."""

    name: str
    uri: str
    mimeType: str | UnsetType = UNSET


Block = TextBlock | ImageBlock | LinkBlock


class _Update(Struct, tag_field="sessionUpdate", omit_defaults=True, kw_only=True):
    """The base class of all updates."""


class UserChunk(_Update, tag="user_message_chunk"):
    """A piece of a person's message, for an editor that loads the history of a session."""

    content: Block
    messageId: str


class AgentChunk(_Update, tag="agent_message_chunk"):
    """A piece of an answer; chunks with the same `messageId` are one message."""

    content: Block
    messageId: str


class ThoughtChunk(_Update, tag="agent_thought_chunk"):
    """A piece of the model's reasoning; chunks with the same `messageId` are one thought."""

    content: Block
    messageId: str


class Content(Struct, tag_field="type", tag="content"):
    """A content block in the output of a tool call."""

    content: Block


class Diff(Struct, tag_field="type", tag="diff", frozen=True):
    """A change of one file; `oldText` is None if the file is new."""

    path: str
    oldText: str | None
    newText: str


ToolContent = Content | Diff


class Location(Struct, omit_defaults=True):
    """A file that the agent works on, so that the editor can show it; lines count from 1."""

    path: str
    line: int | UnsetType = UNSET


class ToolFields(_Update, kw_only=True):
    """The fields of a tool call; UNSET fields are left out, and then stay as they are."""

    toolCallId: str
    title: str | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    content: list[ToolContent] | UnsetType = UNSET
    locations: list[Location] | UnsetType = UNSET
    rawInput: Any = UNSET
    rawOutput: Any = UNSET


class NewToolCall(ToolFields, tag="tool_call"):
    """The first update about a tool call: the editor does not know the call yet."""


class ToolCallUpdate(ToolFields, tag="tool_call_update"):
    """The changes of a tool call; `content` and `locations` replace the earlier values."""


class PlanEntry(Struct):
    """One entry of a plan."""

    content: str
    priority: str
    status: str


class Plan(_Update, tag="plan"):
    """The whole plan (todo list), which replaces the plan that the editor has."""

    entries: list[PlanEntry]


class Command(Struct):
    """A slash command that a person can use in a prompt."""

    name: str
    description: str
    input: dict[str, str] | None = None


class Commands(_Update, tag="available_commands_update"):
    """All slash commands of a session; they replace those that the editor has."""

    availableCommands: list[Command]


class ModeChanged(_Update, tag="current_mode_update"):
    """The mode of the session has changed."""

    currentModeId: str


class OptionsChanged(_Update, tag="config_option_update"):
    """All options of a session with their values, after an option has changed."""

    configOptions: list[dict[str, Any]]


class InfoChanged(_Update, tag="session_info_update"):
    """The new title of a session, and the time of its last change (ISO 8601)."""

    title: str | UnsetType | None = UNSET
    updatedAt: str | UnsetType = UNSET


class Cost(Struct):
    """The cost of a session so far."""

    amount: float
    currency: str = "USD"


class UsageUpdate(_Update, tag="usage_update"):
    """How many tokens of the model's context are used (`used`), and how many fit (`size`)."""

    used: int
    size: int
    cost: Cost | UnsetType = UNSET


class Notice(_Update, tag="notice"):
    """A message for the person that is not part of the conversation, such as a lost connection."""

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
