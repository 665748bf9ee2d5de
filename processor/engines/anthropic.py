"""Converts between Anthropic's messages API and chat completions.

Rules:

1. A block of the answer has an index; each block of type ``tool_use`` is one call.
2. The token counts of the input come first, and those of the output last; the usage needs both.
3. A thought has a signature, or is encrypted (redacted). If the answer calls tools, the thought
   must be sent back with the signature, and an encrypted thought as it is.
4. The last block of the input is marked: the provider may cache everything up to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from typing import Any

import msgspec

from bus import json
from bus.events.part import CacheTokens, TokenCounts
from processor.engines import chunk, words
from processor.engines.calls import CallPiece
from processor.engines.chat import without_calls
from processor.engines.chunk import Json, Spoken
from processor.engines.engine import ChatMessage, EngineRequest, ReasoningPiece, Text, ToolOffer
from processor.engines.failures import ProviderRefusal

VERSION = "2023-06-01"
_MOST_OUTPUT = re.compile(r"max_tokens: \d+ > (\d+)")
_OUTPUT = "max_tokens:"
_PASSES = frozenset({"overloaded_error", "api_error", "rate_limit_error", "timeout_error"})
_CACHED = {"cache_control": {"type": "ephemeral"}}
_NOTHING = "(no text)"
_DATA_URL = re.compile(r"data:([^;,]+);base64,(.*)", re.DOTALL)


class MessagesApi:
    """Anthropic's dialect.

    Args:
        output: how many tokens one answer may have.
        thinking: how many of these may be thoughts; 0: the model is not asked to think.
    """

    path = "/messages"
    signs_thoughts = True

    def __init__(self, output: int, thinking: int) -> None:
        self._output = output
        self._thinking = thinking

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the headers for a request."""
        login = {} if key is None else {"x-api-key": key}
        return {"anthropic-version": VERSION, **login}

    def body(self, request: EngineRequest, without: Set[str]) -> dict[str, Any]:
        """Return a request; `without` names the fields that the provider has refused."""
        limits = [int(one.removeprefix(_OUTPUT)) for one in without if one.startswith(_OUTPUT)]
        output = min([self._output, *limits])
        system = "\n\n".join(_text(one) for one in request.messages if one.role == "system")
        body: dict[str, Any] = {
            "model": request.model,
            "max_tokens": output,
            "messages": _messages(
                request.messages if request.tools else without_calls(request.messages)
            ),
            "stream": True,
        }
        if system.strip():
            body["system"] = [{"type": "text", "text": system, **_CACHED}]
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if self._thinking:
            budget = min(self._thinking, output - 1)
            body["thinking"] = {"type": "enabled", "budget_tokens": budget}
        return body

    def refused(self, refusal: ProviderRefusal) -> str | None:
        """Return the field to leave out next time; None if the refusal has another reason."""
        found = _MOST_OUTPUT.search(refusal.body) if refusal.status == 400 else None
        return None if found is None else f"{_OUTPUT}{found[1]}"

    def chunks(self) -> MessageChunks:
        """Return the reader of one answer."""
        return MessageChunks()


class MessageChunks:
    """Reads the events of one answer."""

    def __init__(self) -> None:
        self._usage: Json = {}

    def read(self, body: Json) -> Spoken:
        """Return the content of an event."""
        kind = body.get("type")
        if kind == "message_start":
            self._count(_dict(body.get("message")).get("usage"))
        elif kind == "content_block_start":
            return _block(body.get("index"), _dict(body.get("content_block")))
        elif kind == "content_block_delta":
            return _delta(body.get("index"), _dict(body.get("delta")))
        elif kind == "message_delta":
            self._count(body.get("usage"))
            reason = _dict(body.get("delta")).get("stop_reason")
            finish = reason if isinstance(reason, str) else None
            return Spoken([], [], finish, usage=self._tokens())
        elif kind == "message_stop":
            return Spoken([], [], ends=True)
        elif kind == "error":
            said = words.in_value(body) or "no reason given"
            return Spoken([], [], error=said, passes=self.passes(body))
        elif kind not in ("ping", "content_block_stop"):
            return chunk.read(body)  # an error in another form, or an answer of a proxy
        return Spoken([], [])

    def passes(self, error: Any) -> bool:
        """Return whether another attempt may succeed after an error."""
        return _dict(_dict(error).get("error")).get("type") in _PASSES

    def _count(self, usage: Any) -> None:
        counts = {key: one for key, one in _dict(usage).items() if isinstance(one, int)}
        self._usage.update(counts)

    def _tokens(self) -> TokenCounts | None:
        counts = {key: max(0, one) for key, one in self._usage.items()}
        asked, said = counts.get("input_tokens", 0), counts.get("output_tokens", 0)
        cache = CacheTokens(
            counts.get("cache_read_input_tokens", 0), counts.get("cache_creation_input_tokens", 0)
        )
        total = asked + said + cache.read + cache.write
        return TokenCounts(asked, said, 0, cache, total) if total else None


def _block(index: Any, block: Json) -> Spoken:
    kind = block.get("type")
    if kind == "tool_use":
        given = block.get("input")
        arguments = json.encode(given).decode() if given else ""
        piece = CallPiece(
            _index(index), str(block.get("id", "")), str(block.get("name")), arguments
        )
        return Spoken([], [], calls=[piece])
    if kind == "thinking" and block.get("thinking"):
        return Spoken([ReasoningPiece(str(block["thinking"]))], [])
    if kind == "redacted_thinking" and isinstance(block.get("data"), str):
        return Spoken([], [], redacted=block["data"])
    text = block.get("text")
    return Spoken([Text(text)] if isinstance(text, str) and text else [], [])


def _delta(index: Any, delta: Json) -> Spoken:
    kind = delta.get("type")
    if kind == "text_delta" and delta.get("text"):
        return Spoken([Text(str(delta["text"]))], [])
    if kind == "thinking_delta" and delta.get("thinking"):
        return Spoken([ReasoningPiece(str(delta["thinking"]))], [])
    if kind == "signature_delta":
        return Spoken([], [], signature=str(delta.get("signature", "")))
    if kind == "input_json_delta" and delta.get("partial_json"):
        piece = CallPiece(_index(index), "", "", str(delta["partial_json"]))
        return Spoken([], [], calls=[piece])
    return Spoken([], [])


def _messages(messages: Sequence[ChatMessage]) -> list[Json]:
    """Return messages in Anthropic's form: user and assistant alternate, and results are the
    user's.
    """
    found: list[Json] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message)
        if found and found[-1]["role"] == role:
            found[-1]["content"] += blocks
        elif blocks:
            found.append({"role": role, "content": blocks})
    if not found or found[-1]["role"] != "user":
        found.append({"role": "user", "content": [{"type": "text", "text": _NOTHING}]})
    found[-1]["content"][-1] |= _CACHED
    return found


def _blocks(message: ChatMessage) -> list[Json]:
    if message.role == "tool":
        text = _text(message)
        result = {"type": "tool_result", "tool_use_id": message.tool_call_id}
        return [result | ({"content": text} if text.strip() else {})]
    content = message.content
    pieces = content if isinstance(content, list) else [{"type": "text", "text": content}]
    blocks = [block for piece in pieces if (block := _piece(piece)) is not None]
    return blocks + [_call(call) for call in message.tool_calls]


def _piece(piece: Json) -> Json | None:
    if piece["type"] in ("thinking", "redacted_thinking"):
        return piece
    if piece["type"] != "image_url":
        return piece if piece["text"].strip() else None
    url = piece["image_url"]["url"]
    if (data := _DATA_URL.fullmatch(url)) is not None:
        source = {"type": "base64", "media_type": data[1], "data": data[2]}
    else:
        source = {"type": "url", "url": url}
    return {"type": "image", "source": source}


def _call(call: Json) -> Json:
    function = call["function"]
    arguments = msgspec.json.decode(function["arguments"])
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": arguments}


def _tool(tool: ToolOffer) -> Json:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
    }


def _text(message: ChatMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return "".join(piece.get("text", "") for piece in message.content)


def _dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _index(value: Any) -> int | None:
    return value if isinstance(value, int) else None
