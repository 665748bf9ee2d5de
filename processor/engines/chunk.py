"""Decodes one chunk of a chat completion, in the form of any provider.

Rules:

1. A missing, null or empty field is ignored. A field of an unexpected type is used if there is
   text anywhere in it, and ignored otherwise: one odd field must not cost the answer.
2. Content that cannot be text (a number) makes the chunk unreadable: without it, the answer would
   have a hole.
3. An error counts wherever it is in the chunk, unless it is empty or reports success.

Nearly all chunks are plain: text or reasoning, and no other field with a value. `plain` decodes
these many times faster than `read`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from bus.events.part import CacheTokens, TokenCounts
from processor.engines import words
from processor.engines.calls import CallPiece, pieces_of
from processor.engines.engine import ReasoningPiece, Text
from processor.engines.failures import RETRYABLE

Json = dict[str, Any]
Piece = Text | ReasoningPiece

_MOST_LEVELS = 8
_MOST_TOKENS = 2**53
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_TEXTS = ("text", "content", "thinking", "reasoning", "summary", "refusal", "parts", "value")
_CHOICE_FIELDS = ("delta", "message", "text", "finish_reason")
_ERROR_FIELDS = (
    *("error", "Error", "errors", "err", "exception"),
    *("detail", "error_msg", "error_message", "fault"),
)
_NOTICES = ("message", "Message", "msg")
_CODES = ("code", "statusCode", "status_code", "status")
_FINE = ("0", "200", "ok", "success")
_NOTHING = ("", "null", "none", "false")
_FAILED = re.compile(r"error|fail|abort|cancel|time_?out|insufficient|malformed", re.IGNORECASE)


class UnreadableChunk(ValueError):
    """The content of a chunk is not text."""


class Spoken(Struct):
    """The content of one chunk.

    Attributes:
        pieces: text and thoughts, in order.
        whole: of a completion that is not streamed, all that the model says.
        finish: why the model stopped, None while it goes on.
        calls: pieces of the calls of tools.
        whole_calls: of a completion that is not streamed, all calls.
        refused: whether the model declines to answer.
        usage: what the answer has cost.
        signature: of the thought before, which must go back to the model with the thought.
        redacted: an encrypted thought, which must go back to the model.
        ends: the provider says that nothing follows.
        error: why the provider gave up, in its words.
        passes: the error's code is one of those that may pass, as for a refused request.
        notice: a message that is an error only if no answer follows.
    """

    pieces: list[Piece]
    whole: list[Piece]
    finish: str | None = None
    calls: list[CallPiece] = []
    whole_calls: list[CallPiece] = []
    refused: bool = False
    usage: TokenCounts | None = None
    signature: str = ""
    redacted: str = ""
    ends: bool = False
    error: str | None = None
    passes: bool = False
    notice: str | None = None


class _PlainDelta(Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    # In a plain chunk the following fields must be null or missing, here and in the types below.
    thinking: None = None
    reasoning_details: None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None
    finish_reason: None = None
    error: None = None


class _PlainChoice(Struct, gc=False):
    delta: _PlainDelta
    finish_reason: None = None
    message: None = None
    text: None = None
    usage: None = None
    error: None = None


class _Plain(Struct, gc=False):
    choices: Annotated[list[_PlainChoice], Meta(min_length=1, max_length=1)]
    object: Literal["chat.completion.chunk"] | None = None
    finish_reason: None = None
    usage: None = None
    x_groq: None = None
    error: None = None
    Error: None = None
    errors: None = None
    err: None = None
    exception: None = None
    error_msg: None = None
    error_message: None = None
    fault: None = None
    base_resp: None = None
    type: None = None
    status: None = None


_decode_plain = msgspec.json.Decoder(_Plain).decode


def plain(data: bytes) -> list[Piece] | None:
    """Return the content of a plain chunk, None if `data` is not a plain chunk."""
    try:
        delta = _decode_plain(data).choices[0].delta
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    thought = delta.reasoning_content or delta.reasoning
    pieces: list[Piece] = [ReasoningPiece(thought)] if thought else []
    if delta.content:
        pieces.append(Text(delta.content))
    return pieces


def read(body: Json) -> Spoken:
    """Return the content of a chunk.

    Raises:
        UnreadableChunk: a piece of the answer cannot be read.
    """
    choice = _first(body.get("choices"))
    delta, message = choice.get("delta"), choice.get("message")
    places = [one for one in (choice, delta, body) if isinstance(one, dict)]
    finish = next((why for one in places if (why := _finish(one.get("finish_reason")))), None)
    spoken = Spoken(_pieces(delta), _pieces(message) + _pieces(choice.get("text")), finish)
    for said in (message, delta):
        if isinstance(said, dict):
            spoken.refused = spoken.refused or bool(_flat(said.get("refusal")))
    spoken.calls = pieces_of(delta) if isinstance(delta, dict) else []
    spoken.whole_calls = pieces_of(message) if isinstance(message, dict) else []
    groq = body.get("x_groq")
    spoken.usage = _usage(body.get("usage")) or _usage(choice.get("usage"))
    spoken.usage = spoken.usage or (_usage(groq.get("usage")) if isinstance(groq, dict) else None)
    spoken.error = _error(body, choice)
    spoken.passes = spoken.error is not None and _passes(body)
    if not choice and any(isinstance(body.get(field), str) for field in _NOTICES):
        spoken.notice = words.in_value(body)
    return spoken


def _first(choices: Any) -> Json:
    """Return the choice that was requested: the first of a list, or of an object."""
    if isinstance(choices, dict):
        if any(field in choices for field in _CHOICE_FIELDS):
            return choices
        choices = list(choices.values())
    if isinstance(choices, str):
        choices = [choices]
    if not isinstance(choices, list):
        return {}
    first = choices[0] if choices else {}
    return first if isinstance(first, dict) else {"delta": first}


def _pieces(said: Any) -> list[Piece]:
    if not isinstance(said, dict):
        return list(_content(said))
    thought = next((found for key in _THOUGHTS if (found := _flat(said.get(key)))), "")
    pieces: list[Piece] = [ReasoningPiece(thought)] if thought else []
    pieces += _content(said.get("content"))
    refusal = _flat(said.get("refusal"))
    return [*pieces, Text(refusal)] if refusal else pieces


def _content(content: Any) -> Iterable[Piece]:
    if content is None or content is False:
        return
    if not isinstance(content, str | list | dict):
        raise UnreadableChunk(f"content is {content!r}")
    for part in content if isinstance(content, list) else [content]:
        if text := _flat(part):
            yield ReasoningPiece(text) if _is_thought(part) else Text(text)


def _is_thought(part: Any) -> bool:
    kind = str(part.get("type", "")) if isinstance(part, dict) else ""
    return "think" in kind or "reason" in kind


def _flat(value: Any, levels: int = _MOST_LEVELS) -> str:
    """Return the text in a value: a string, a list of parts, or an object that contains text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and levels:
        return "".join(_flat(one, levels - 1) for one in value)
    if isinstance(value, dict) and levels:
        return next((text for key in _TEXTS if (text := _flat(value.get(key), levels - 1))), "")
    return ""


def _finish(reason: Any) -> str | None:
    if isinstance(reason, str):
        return None if reason.strip().lower() in _NOTHING else reason.strip()
    return "unknown" if reason else None


def _usage(usage: Any) -> TokenCounts | None:
    """Divide the provider's counts as opencode does: cached and reasoning tokens count once."""
    if not isinstance(usage, dict):
        return None
    asked = _count(usage, "prompt_tokens") or _count(usage, "input_tokens")
    answered = _count(usage, "completion_tokens") or _count(usage, "output_tokens")
    cached = _count(usage.get("prompt_tokens_details"), "cached_tokens")
    thought = _count(usage.get("completion_tokens_details"), "reasoning_tokens")
    total = _count(usage, "total_tokens")
    if not (asked or answered or total):
        return None
    return TokenCounts(
        input=max(0, asked - cached),
        output=max(0, answered - thought),
        reasoning=thought,
        cache=CacheTokens(read=cached, write=0),
        total=total or asked + answered,
    )


def _count(counts: Any, name: str) -> int:
    value = counts.get(name) if isinstance(counts, dict) else None
    try:
        number = float(value) if isinstance(value, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return 0
    return int(number) if math.isfinite(number) and 0 <= number <= _MOST_TOKENS else 0


def _error(body: Json, choice: Json) -> str | None:
    """Return why the provider gave up, None if it did not."""
    found = [body.get(field) for field in _ERROR_FIELDS if field != "detail" or not choice]
    inner = (choice, choice.get("delta"), choice.get("message"))
    found += [one.get("error") for one in inner if isinstance(one, dict)]
    error = next((one for one in found if _is_error(one)), None)
    if error is not None:
        return words.in_value(error) or words.in_value(body) or "no reason given"
    status = body.get("base_resp")
    failed = isinstance(status, dict) and not _is_fine(status.get("status_code", 0))
    failed = failed or "error" in (body.get("object"), body.get("type"), body.get("status"))
    failed = failed or (not choice and _is_failed(body))
    if failed:
        return words.in_value(status) or words.in_value(body) or "no reason given"
    finish = choice.get("finish_reason")
    if isinstance(finish, str) and _FAILED.search(finish):
        return f"finish_reason is {finish!r}"
    return None


def _passes(body: Json) -> bool:
    error = body.get("error")
    places = (error, body) if isinstance(error, dict) else (body,)
    codes = {str(one.get(field)) for one in places for field in _CODES}
    return any(str(code) in codes for code in RETRYABLE)


def _is_error(value: Any, levels: int = _MOST_LEVELS) -> bool:
    """Return whether a value reports an error: it is not empty, and has no code for success."""
    if isinstance(value, dict):
        if _is_fine(value.get("code")):
            return False
        return levels > 0 and any(_is_error(one, levels - 1) for one in value.values())
    if isinstance(value, list):
        return levels > 0 and any(_is_error(one, levels - 1) for one in value)
    if isinstance(value, str):
        return value.strip().lower() not in (*_NOTHING, *_FINE)
    return bool(value)


def _is_fine(code: Any) -> bool:
    return str(code).lower() in _FINE


def _is_failed(body: Json) -> bool:
    """Return whether a body without an answer reports an error by a code or a flag."""
    if body.get("success") is False or body.get("ok") is False:
        return True
    status = body.get("status")
    if isinstance(status, str) and _FAILED.search(status):
        return True
    code = body.get("code")
    named = isinstance(code, str) and not code.isdecimal()
    if named and code and not _is_fine(code):
        return True
    codes = [str(body.get(field)) for field in _CODES]
    return any(len(one) < 10 and one.isdecimal() and int(one) >= 400 for one in codes)
