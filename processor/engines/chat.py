"""The content of chat messages: text, or pieces where a message has more than text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from processor.engines.engine import ChatMessage

Piece = dict[str, Any]
Content = str | list[Piece]


def pieces_of(content: Content) -> list[Piece]:
    """Return content as pieces."""
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def joined(pieces: list[Piece]) -> Content:
    """Return text if all pieces are text, else the pieces."""
    if all(piece["type"] == "text" for piece in pieces):
        return "\n\n".join(piece["text"] for piece in pieces)
    return pieces


def append(messages: list[ChatMessage], message: ChatMessage) -> None:
    """Append a message, to the last message if both have the same role and neither calls tools.

    Strict providers refuse an empty message, and two messages of the same role in a row.
    """
    if not (message.content or message.tool_calls):
        return
    before = messages[-1] if messages else None
    if before is None or before.role != message.role or before.tool_calls:
        messages.append(message)
        return
    if message.content:
        # Content that is empty here was only whitespace.
        before.content = joined([*pieces_of(before.content), *pieces_of(message.content)])
    before.tool_calls = message.tool_calls


def without_calls(messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    """Return messages in which calls of tools and their results are text.

    Providers refuse a request whose messages have calls but that offers no tools.
    """
    if not any(message.tool_calls for message in messages):
        return messages
    found: list[ChatMessage] = []
    names: dict[str, str] = {}
    for message in messages:
        role, pieces = message.role, list(pieces_of(message.content))
        if role == "tool":
            role = "user"
            words = f"[the result of the tool {names.get(message.tool_call_id)}]"
            pieces = [{"type": "text", "text": f"{words}\n{message.content}"}]
        for call in message.tool_calls:
            function = call["function"]
            names[call["id"]] = function["name"]
            words = f"[a call of the tool {function['name']}] {function['arguments']}"
            pieces.append({"type": "text", "text": words})
        append(found, ChatMessage(role, joined(pieces)))
    return found
