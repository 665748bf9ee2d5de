"""Converts the stored messages of a session into the messages of a request to the model."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from msgspec import UNSET

from bus import json
from bus.events.message import AssistantMessage, UserMessage
from bus.events.part import (
    FilePart,
    ReasoningPart,
    TextPart,
    ToolCompleted,
    ToolError,
    ToolPart,
    ToolState,
)
from processor.engines.chat import Content, Piece, append, joined, pieces_of
from processor.engines.engine import ChatMessage
from processor.native.images import is_image, refused_images
from processor.store.history import Said, Utterance

# Providers accept only these characters, and at most 64 of them, in the name of a tool.
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_-]")
_MOST_NAME = 64
EXECUTED = "The following tool was executed by the user"
"""opencode's text for the prompt of a shell command that a person runs (``!ls``).

The command and its output are in the answer, as a call of the tool ``bash``.
"""


def chat(history: Iterable[Utterance], thoughts: bool = False) -> list[ChatMessage]:
    """Return the messages of a request to the model; the last prompt's system text comes first.

    Some providers refuse an empty message, a tool call without a result, or two messages of the
    same role in a row, which occur if a prompt was never answered. So empty messages are left out,
    each call is followed by its result, and messages of the same role are merged.

    Args:
        history: the stored messages, oldest first.
        thoughts: whether to send the model's own signed reasoning back to the model.
    """
    history = _without_unrun_commands(list(history))
    left_out = refused_images(history)
    messages: list[ChatMessage] = []
    system: str | None = None
    for utterance in history:
        if isinstance(utterance.message, UserMessage):
            system = utterance.message.system or None
            append(messages, ChatMessage("user", _content(utterance.parts, left_out)))
        else:
            _answer(messages, utterance.parts, thoughts)
    if not messages or messages[-1].role == "assistant":
        # The last prompt has no content. A request must still end with a message of the user.
        messages.append(ChatMessage("user", ""))
    return messages if system is None else [ChatMessage("system", system), *messages]


def _without_unrun_commands(history: list[Utterance]) -> list[Utterance]:
    """Leave out shell commands that never ran; their prompts say that they were executed."""
    answered = {
        one.message.parentID for one in history if isinstance(one.message, AssistantMessage)
    }
    return [one for one in history if one.message.id in answered or not _is_command(one.parts)]


def _is_command(parts: list[Said]) -> bool:
    return any(
        isinstance(part, TextPart) and part.synthetic is True and part.text == EXECUTED
        for part in parts
    )


def _answer(messages: list[ChatMessage], parts: list[Said], thoughts: bool) -> None:
    """Append one answer of the model: its text, its tool calls, and the results of the calls."""
    calls = [part for part in parts if isinstance(part, ToolPart)]
    text = _text(parts)
    content: Content = text if text.strip() else ""
    signed = [thought for part in parts if (thought := _thought(part))] if thoughts else []
    if signed:
        content = [*signed, *pieces_of(content)]
    if content or calls:
        asked = [_call(part) for part in calls]
        append(messages, ChatMessage("assistant", content, tool_calls=asked))
    images: list[Piece] = []
    for part in calls:
        words = result_of(part.state)
        messages.append(ChatMessage("tool", words, tool_call_id=part.callID))
        images += _attached(part)
    if images:
        append(messages, ChatMessage("user", images))


def result_of(state: ToolState) -> str:
    """Return the text that the model reads as the result of a tool call."""
    if isinstance(state, ToolCompleted):
        return state.output
    return state.error if isinstance(state, ToolError) else "the call did not end"


def _call(part: ToolPart) -> Piece:
    name = _NOT_IN_NAME.sub("_", part.tool)[:_MOST_NAME]
    arguments = json.encode(part.state.input).decode()
    return {
        "id": part.callID,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _attached(part: ToolPart) -> list[Piece]:
    """Return the images that a tool has read, for a message of their own.

    The result of a call can only contain text.
    """
    state = part.state
    attachments = state.attachments if isinstance(state, ToolCompleted) else UNSET
    images = [
        {"type": "image_url", "image_url": {"url": one["url"]}}
        for one in attachments or ()
        if str(one.get("mime", "")).startswith("image/")
        and str(one.get("url")).startswith(("data:", "http:", "https:"))
    ]
    words: Piece = {"type": "text", "text": f"What the tool {part.tool} has read:"}
    return [words, *images] if images else []


def _thought(part: Said) -> Piece | None:
    if not isinstance(part, ReasoningPart) or not isinstance(part.metadata, dict):
        return None
    # Check each type: clients can set the metadata of a part to any value.
    ours = part.metadata.get("anthropic")
    if not isinstance(ours, dict):
        return None
    if isinstance(data := ours.get("redactedData"), str):
        return {"type": "redacted_thinking", "data": data}
    if isinstance(signature := ours.get("signature"), str):
        return {"type": "thinking", "thinking": part.text, "signature": signature}
    return None


def _content(parts: list[Said], left_out: Mapping[str, str]) -> Content:
    pieces = [piece for part in parts if (piece := _piece(part, left_out)) is not None]
    return joined([piece for piece in pieces if piece.get("text", "image").strip()])


def _piece(part: Said, left_out: Mapping[str, str]) -> Piece | None:
    if isinstance(part, TextPart):
        return None if part.ignored is True else {"type": "text", "text": part.text}
    if not isinstance(part, FilePart):
        return None
    if not is_image(part):
        return {"type": "text", "text": _file(part)}
    if part.id in left_out:
        name = part.filename or part.mime
        words = f"[{name}: an image that the provider refused: {left_out[part.id]}]"
        return {"type": "text", "text": words}
    return {"type": "image_url", "image_url": {"url": part.url}}


def _file(part: FilePart) -> str:
    name = part.filename or part.mime
    text = _data(part.url) if part.mime.startswith("text/") else None
    # Without the words "not readable", the model would answer that no file was attached.
    return f"[{name}: attached, but not readable]" if text is None else f"{name}:\n{text}"


def _data(url: str) -> str | None:
    """Return the text in a ``data:`` URL, or None if it is another URL or not UTF-8 text."""
    head, comma, body = url.partition(",")
    if not head.startswith("data:") or not comma:
        return None
    data = unquote_to_bytes(body)
    try:
        decoded = base64.b64decode(data, validate=True) if head.endswith(";base64") else data
        return decoded.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _text(parts: list[Said]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart))
