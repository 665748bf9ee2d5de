"""Reading a streamed chat completion: bytes in, chunks out, the caller owns the socket."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from bus.events.part import CacheTokens, Tokens
from bus.sse import EventStreamParser, EventTooLarge
from processor.engines.engine import Chunk, Finish, Reasoning, Text, Usage

MAX_EVENT_BYTES = 16 * 1024 * 1024
_SHOWN = 120
_REASONS = {"tool_calls": "tool-calls", "content_filter": "content-filter"}
_KNOWN_REASONS = frozenset({"stop", "length", *_REASONS.values()})


class BadStream(ValueError):
    """The provider broke the format, or stopped before the end; the message says how."""


class _Delta(Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _PromptDetails(Struct):
    cached_tokens: int | None = None


class _CompletionDetails(Struct):
    reasoning_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Completion(Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


class CompletionReader:
    """Reads one answer.

    Attributes:
        done: whether the provider has said that nothing follows.
        broken: what is wrong with the last bytes; what came before is still good.
    """

    def __init__(self) -> None:
        self.done = False
        self.broken: BadStream | None = None
        self._finish: str | None = None
        self._seen = False
        self._parser = EventStreamParser(MAX_EVENT_BYTES)
        self._decode = msgspec.json.Decoder(_Completion).decode

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the next bytes, and return the chunks they complete."""
        chunks: list[Chunk] = []
        try:
            for event in self._parser.feed(data):
                if event.data == b"[DONE]":
                    self.done = True
                    break
                self._take(event.data, chunks)
        except (BadStream, EventTooLarge) as error:
            self.broken = BadStream(str(error))
        return chunks

    def end(self) -> Finish:
        """Return why the model stopped; to be asked when no more bytes come.

        Raises:
            BadStream: the stream was cut.
        """
        if self._finish is None and not self.done:
            words = "was cut before its end" if self._seen else "ended without a word"
            raise BadStream(f"the answer of the provider {words}")
        reason = self._finish or "unknown"
        reason = _REASONS.get(reason, reason)
        return Finish(reason if reason in _KNOWN_REASONS else "unknown")

    def _take(self, data: bytes, chunks: list[Chunk]) -> None:
        try:
            completion = self._decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            shown = data[:_SHOWN].decode(errors="replace")
            raise BadStream(
                f"the provider sent what is no completion: {shown!r} ({error})"
            ) from None
        self._seen = True
        if completion.error is not None:
            raise BadStream(f"the provider broke off: {_words(completion.error)}")
        for choice in (completion.choices or ())[:1]:
            if choice.delta is not None:
                _say(choice.delta, chunks)
            self._finish = choice.finish_reason or self._finish
        if completion.usage is not None:
            chunks.append(Usage(_tokens(completion.usage)))


def _say(delta: _Delta, chunks: list[Chunk]) -> None:
    thought = delta.reasoning_content or delta.reasoning
    if thought:
        chunks.append(Reasoning(thought))
    if delta.content:
        chunks.append(Text(delta.content))


def _tokens(usage: _Usage) -> Tokens:
    """Split the provider's counts as opencode does: what is cached or thought counts once."""
    cached = (usage.prompt_tokens_details or _PromptDetails()).cached_tokens or 0
    thought = (usage.completion_tokens_details or _CompletionDetails()).reasoning_tokens or 0
    total = usage.total_tokens
    return Tokens(
        input=max(0, usage.prompt_tokens - cached),
        output=max(0, usage.completion_tokens - thought),
        reasoning=thought,
        cache=CacheTokens(read=cached, write=0),
        total=usage.prompt_tokens + usage.completion_tokens if total is None else total,
    )


def _words(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return str(message)
