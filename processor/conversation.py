"""The history of a session as the messages of a chat completion."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from bus.events.message import UserMessage
from bus.events.part import FilePart, TextPart
from processor.engines.engine import ChatMessage
from processor.store.history import Said, Utterance


def chat(history: Iterable[Utterance]) -> list[ChatMessage]:
    """Return what a model needs to read; the last prompt's system text comes first."""
    messages: list[ChatMessage] = []
    system: str | None = None
    for utterance in history:
        if isinstance(utterance.message, UserMessage):
            system = utterance.message.system or None
            messages.append(ChatMessage("user", _content(utterance.parts)))
        elif text := _text(utterance.parts):
            messages.append(ChatMessage("assistant", text))
    return messages if system is None else [ChatMessage("system", system), *messages]


def _content(parts: list[Said]) -> str | list[dict[str, Any]]:
    """Return text, or a list of parts if there is an image among them."""
    pieces = [piece for part in parts if (piece := _piece(part)) is not None]
    if all(piece["type"] == "text" for piece in pieces):
        return "\n\n".join(piece["text"] for piece in pieces)
    return pieces


def _piece(part: Said) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return None if part.ignored is True else {"type": "text", "text": part.text}
    if part.mime.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": part.url}}
    return {"type": "text", "text": _file(part)}


def _file(part: FilePart) -> str:
    name = part.filename or part.mime
    text = _data(part.url) if part.mime.startswith("text/") else None
    # The model is told of a file it cannot read, or it would deny that there is one.
    return f"[{name}: attached, but not readable]" if text is None else f"{name}:\n{text}"


def _data(url: str) -> str | None:
    """Return the text in a ``data:`` URL, None if it is none."""
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
