"""Converts opencode's tool calls to ACP's, and finds out what of a call the editor lacks."""

from __future__ import annotations

from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType

from acp_client.content.diffs import diffs_of
from acp_client.content.locations import locations_of
from acp_client.protocol.updates import (
    Content,
    Diff,
    ImageBlock,
    Location,
    NewToolCall,
    TextBlock,
    ToolCallUpdate,
    ToolContent,
)
from acp_client.protocol.wire import Part, ToolState

_T = TypeVar("_T")

_CONSOLES = ("bash", "shell")
_KINDS = {
    "read": ("read",),
    "edit": ("edit", "multiedit", "write", "patch", "apply_patch"),
    "execute": _CONSOLES,
    "search": ("grep", "glob", "list", "codesearch", "websearch"),
    "fetch": ("webfetch",),
    "think": ("task", "todowrite", "todoread"),
    "switch_mode": ("plan_enter", "plan_exit"),
}
_KIND_OF = {tool: kind for kind, tools in _KINDS.items() for tool in tools}
PENDING = "pending"
_STATUS_OF = {
    "pending": PENDING,
    "running": "in_progress",
    "completed": "completed",
    "error": "failed",
}
_ORDER = ("", "pending", "in_progress", "completed", "failed")
_DONE = ("completed", "failed")
_LONGEST_TITLE = 200


def kind_of(tool: str) -> str:
    """Return ACP's kind of tool, which chooses an icon in editors, for a tool of opencode."""
    return _KIND_OF.get(tool, "other")


class Shown(Struct):
    """What the editor has received of a tool call."""

    title: str = ""
    status: str = ""
    content: list[ToolContent] = []
    locations: list[Location] = []
    has_input: bool = False

    @property
    def done(self) -> bool:
        """Whether the call has ended, so that no update of the call follows."""
        return self.status in _DONE


def show(
    part: Part, shown: Shown | None, directory: str
) -> tuple[NewToolCall | ToolCallUpdate | None, Shown]:
    """Return the update that brings a tool call up to date in the editor.

    Args:
        part: the tool part of the message, as it is now.
        shown: what the editor has of the call; None if it does not know the call.
        directory: the folder of the session.

    Returns:
        The update, None if the editor lacks nothing; and what the editor has after the update.
    """
    now = _now(part, directory)
    if shown is None:
        return _call(part, now), now
    if shown.done or _ORDER.index(now.status) < _ORDER.index(shown.status):
        return None, shown
    if not now.has_input:
        now.title = shown.title
    return _change(part, shown, now), now


def _call(part: Part, now: Shown) -> NewToolCall:
    state = part.state or ToolState()
    return NewToolCall(
        toolCallId=call_id(part),
        title=now.title,
        kind=kind_of(part.tool),
        status=now.status,
        content=now.content or UNSET,
        locations=now.locations or UNSET,
        rawInput=state.input if now.has_input else UNSET,
        rawOutput=_raw_output(part, state),
    )


def _change(part: Part, shown: Shown, now: Shown) -> ToolCallUpdate | None:
    state = part.state or ToolState()
    update = ToolCallUpdate(
        toolCallId=call_id(part),
        title=_if_new(now.title, shown.title),
        status=_if_new(now.status, shown.status),
        content=_if_new(now.content, shown.content),
        locations=_if_new(now.locations, shown.locations),
        rawInput=state.input if now.has_input and not shown.has_input else UNSET,
        rawOutput=_raw_output(part, state),
    )
    return None if update == ToolCallUpdate(toolCallId=update.toolCallId) else update


def call_id(part: Part) -> str:
    """Return the id of a tool call in messages to the editor."""
    return part.callID or part.id


def title_of(part: Part) -> str:
    """Return the title of a tool call: one line, such as the command that runs."""
    state = part.state or ToolState()
    said = state.title or state.noted("title")
    if part.tool in _CONSOLES:
        said = state.given("command") or said
    said = said or state.given("description") or state.given("filePath") or state.given("pattern")
    line = str(said or part.tool).strip().partition("\n")[0]
    return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1] + "…"


def _now(part: Part, directory: str) -> Shown:
    state = part.state or ToolState()
    return Shown(
        title=title_of(part),
        status=_STATUS_OF.get(state.status, "in_progress"),
        content=_content(part, state, directory),
        locations=locations_of(state, directory),
        has_input=bool(state.input),
    )


def _content(part: Part, state: ToolState, directory: str) -> list[ToolContent]:
    changes: list[Diff] = diffs_of(part.tool, state, directory)
    if state.status == "error":
        return [*changes, _text(str(state.error or "failed"))]
    if changes:
        return [*changes]
    if state.status == "completed":
        images = _images(state)
        return [_text(_output(part, state)), *images] if state.output or not images else images
    running = state.noted("output")
    return [_text(_console(running))] if isinstance(running, str) and running else []


def _output(part: Part, state: ToolState) -> str:
    output = state.output if isinstance(state.output, str) else ""
    return _console(output) if part.tool in _CONSOLES else output


def _console(output: str) -> str:
    """Return the output of a command as a code block, because editors render text as markdown."""
    fence = "```"
    while fence in output:
        fence += "`"
    end = "" if output.endswith("\n") or not output else "\n"
    return f"{fence}\n{output}{end}{fence}"


def _images(state: ToolState) -> list[ToolContent]:
    """Return the images that a tool has returned, as image blocks."""
    found: list[ToolContent] = []
    for one in state.attachments if isinstance(state.attachments, list) else []:
        url = one.get("url") if isinstance(one, dict) else None
        head, comma, data = str(url).partition(",")
        if head.startswith("data:image/") and head.endswith(";base64") and comma:
            found.append(Content(ImageBlock(data, head[len("data:") : -len(";base64")])))
    return found


def _raw_output(part: Part, state: ToolState) -> object:
    """Return the output of a tool for `rawOutput`; nothing if `_content` shows it in another form.

    Editors that show `content` and `rawOutput` show an output once only if both are identical.
    """
    if state.status != "completed" or part.tool in _CONSOLES or _images(state):
        return UNSET
    return {"output": state.output, "metadata": state.metadata or {}}


def _text(text: str) -> Content:
    return Content(TextBlock(text))


def _if_new(now: _T, before: _T) -> _T | UnsetType:
    return UNSET if now == before else now
