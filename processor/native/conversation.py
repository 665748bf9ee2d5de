"""Turns the history of a session into the messages of a chat completion."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from bus.events.message import UserMessage
from bus.events.part import FilePart, TextPart
from processor.engines.engine import ChatMessage
from processor.native.images import is_image, refused_images
from processor.store.history import Said, Utterance

Piece = dict[str, Any]
Content = str | list[Piece]


def chat(history: Iterable[Utterance]) -> list[ChatMessage]:
    """Return the messages for a model; the last prompt's system text comes first.

    Strict providers refuse a message without content, and consecutive messages of one role. A
    prompt without an answer leads to two consecutive prompts, so these are merged.
    """
    history = list(history)
    left_out = refused_images(history)
    messages: list[ChatMessage] = []
    system: str | None = None
    for utterance in history:
        if isinstance(utterance.message, UserMessage):
            system = utterance.message.system or None
            _append(messages, ChatMessage("user", _content(utterance.parts, left_out)))
        elif (text := _text(utterance.parts)).strip():
            _append(messages, ChatMessage("assistant", text))
    if not messages or messages[-1].role != "user":
        messages.append(ChatMessage("user", ""))  # the last prompt is empty
    return messages if system is None else [ChatMessage("system", system), *messages]


def _append(messages: list[ChatMessage], message: ChatMessage) -> None:
    before = messages[-1] if messages else None
    if not message.content:
        return
    if before is None or before.role != message.role:
        messages.append(message)
    else:
        before.content = _joined([*_pieces(before.content), *_pieces(message.content)])


def _pieces(content: Content) -> list[Piece]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _content(parts: list[Said], left_out: Mapping[str, str]) -> Content:
    pieces = [piece for part in parts if (piece := _piece(part, left_out)) is not None]
    return _joined([piece for piece in pieces if piece.get("text", "image").strip()])


def _joined(pieces: list[Piece]) -> Content:
    """Return text, or a list of parts if one of them is an image."""
    if all(piece["type"] == "text" for piece in pieces):
        return "\n\n".join(piece["text"] for piece in pieces)
    return pieces


def _piece(part: Said, left_out: Mapping[str, str]) -> Piece | None:
    if isinstance(part, TextPart):
        return None if part.ignored is True else {"type": "text", "text": part.text}
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
    # Without this line, the model would say that there is no file.
    return f"[{name}: attached, but not readable]" if text is None else f"{name}:\n{text}"


def _data(url: str) -> str | None:
    """Return the text in a ``data:`` URL, None if it contains no text."""
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
