"""The built-in model: offline and deterministic, for a first look and for load tests.

The prompt ``storm N SIZE`` streams N deltas of SIZE characters as fast as they are taken, and
``rate R N`` streams N deltas at R a second, each with the time at which it is made in Unix ns, as
`weir bench` asks for. ``tool NAME ARGUMENTS then N`` calls a tool, and streams N deltas once the
tool has run; the arguments are JSON, or of ``bash`` the command. Any other prompt is answered in a
few words.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Generator, Iterator

import gevent
import msgspec

from bus.events.part import CacheTokens, TokenCounts
from processor.engines.engine import (
    CallBegun,
    CallWhole,
    ChatMessage,
    Chunk,
    EngineRequest,
    Finish,
    Offer,
    ReasoningPiece,
    Text,
    TokenUsage,
)

MAX_DELTAS = 1_000_000
MAX_TEXT = 64 * 1024 * 1024
MAX_RATE = 100_000
RATE_SIZE = 40
WORDS_PER_S = 60.0
BATCH = 64

_STORM = re.compile(r"storm (\d{1,9}) (\d{1,9})")
_RATE = re.compile(r"rate (\d{1,9}) (\d{1,9})")
_TOOL = re.compile(r"tool (?P<tool>\S+) (?P<arguments>.+) then (?P<count>\d{1,6})", re.DOTALL)
_WORD = re.compile(r"\s*\S+\s*")


class DemoEngine:
    """Answers without a model."""

    offer = Offer(provider="demo", provider_name="Demo", model="demo", url="")

    def stream(self, request: EngineRequest) -> Generator[list[Chunk], None, None]:
        """Yield the answer to the last prompt; see the module for the prompts."""
        prompt = _prompt_of(request)
        count, calls = 0, False
        for chunks in _answer(prompt, request):
            count += len(chunks)
            calls = calls or any(isinstance(chunk, CallBegun) for chunk in chunks)
            yield chunks
        tokens = TokenCounts(
            input=len(prompt.split()), output=count, reasoning=0, cache=CacheTokens()
        )
        tokens.total = tokens.input + tokens.output
        yield [TokenUsage(tokens), Finish("tool-calls" if calls else "stop")]


def _answer(prompt: str, request: EngineRequest) -> Iterator[list[Chunk]]:
    last = prompt.split("\n\n")[-1]  # earlier prompts without an answer come before it
    if request.tools and (match := _TOOL.fullmatch(last)):
        if request.messages[-1].role != "user":
            return _batches(_numbered(int(match["count"]), RATE_SIZE))
        return _call(match["tool"], match["arguments"])
    if match := _STORM.fullmatch(last):
        return _storm(*(int(group) for group in match.groups()))
    if match := _RATE.fullmatch(last):
        return _rate(*(int(group) for group in match.groups()))
    return _talk(prompt)


def _storm(count: int, size: int) -> Iterator[list[Chunk]]:
    if not 1 <= count <= MAX_DELTAS or size < 1 or count * size > MAX_TEXT:
        return _refusal(
            f"storm N SIZE takes an N of 1 to {MAX_DELTAS}, and at most {MAX_TEXT} characters."
        )
    return _batches(_numbered(count, size))


def _rate(per_second: int, count: int) -> Iterator[list[Chunk]]:
    if not 1 <= per_second <= MAX_RATE or not 1 <= count <= MAX_DELTAS:
        return _refusal(f"rate R N takes an R of 1 to {MAX_RATE} and an N of 1 to {MAX_DELTAS}.")
    return _paced(_stamped(count), per_second)


def _talk(prompt: str) -> Iterator[list[Chunk]]:
    thought = f"The prompt has {len(prompt.split())} words. No model is needed to repeat it. "
    answer = (
        f"You said: {prompt}\n\n"
        "This is the demo model of weir: it works offline and always says the same. "
        "Try `storm 10000 40` or `rate 50 500`, or start weir with --model-url and --model."
    )
    yield from _paced((ReasoningPiece(word) for word in _WORD.findall(thought)), WORDS_PER_S)
    yield from _paced((Text(word) for word in _WORD.findall(answer)), WORDS_PER_S)


def _call(tool: str, arguments: str) -> Iterator[list[Chunk]]:
    if tool == "bash" and not arguments.startswith("{"):
        what = {"command": arguments, "description": "what the prompt says"}
        arguments = msgspec.json.encode(what).decode()
    yield [CallBegun(0, "", tool), CallWhole(0, arguments)]


def _refusal(words: str) -> Iterator[list[Chunk]]:
    yield [Text(words)]


def _numbered(count: int, size: int) -> Iterator[Chunk]:
    """Yield texts that begin with their number, so that a missing text is noticed."""
    filling = "x" * max(0, size - 9) + " "
    return (Text(f"{number:07d}|{filling}"[:size]) for number in range(count))


def _stamped(count: int) -> Iterator[Chunk]:
    """Yield numbered texts with their time, so that their delay can be measured."""
    for number in range(count):
        yield Text(f"{number:07d}|{time.time_ns():019d}|".ljust(RATE_SIZE - 1, "x") + " ")


def _batches(chunks: Iterator[Chunk]) -> Iterator[list[Chunk]]:
    while batch := list(itertools.islice(chunks, BATCH)):
        yield batch


def _paced(chunks: Iterator[Chunk], per_second: float) -> Iterator[list[Chunk]]:
    """Yield the chunks that are due; after a late wake-up it catches up."""
    start, sent = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - start) * per_second) + 1
        batch = list(itertools.islice(chunks, due - sent))
        if len(batch) < due - sent:
            if batch:
                yield batch
            return
        sent = due
        yield batch
        gevent.sleep(max(0.0, start + sent / per_second - time.monotonic()))


def _prompt_of(request: EngineRequest) -> str:
    """Return the last prompt: output of tools may follow it in the conversation."""
    asked = [one for one in request.messages if one.role == "user"]
    return _text_of(asked[-1]).strip() if asked else ""


def _text_of(message: ChatMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return "".join(part.get("text", "") for part in message.content)
