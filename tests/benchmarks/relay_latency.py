"""How long a delta is on its way from the model to a reader."""

import time
from typing import Any

from tests.benchmarks.latency import quantile
from tests.benchmarks.relay_target import Target
from tests.fakes.texts import DEFAULT_SIZE
from tests.sse_client import SseClient

PER_SECOND = 100
DELTAS = 600
_FIRST_STAMP = "0000000|"
_FIRST = 50
"""Deltas of the start that do not count."""


def delays_ms(target: Target, deltas: int = DELTAS) -> tuple[float, float]:
    """Return p50 and p99 at `PER_SECOND` deltas a second, in ms."""
    said: dict[int, float] = {}
    with SseClient(f"{target.url}{target.streams[0]}") as stream:
        stream.next()
        session = target.session()
        target.prompt(session, f"rate {PER_SECOND} {deltas}")
        for event in stream.events():
            now_ns = time.monotonic_ns()
            properties = event["properties"]
            if properties.get("sessionID") != session:
                continue
            if event["type"] == "message.part.delta":
                said |= {n: (now_ns - at) / 1e6 for n, at in _stamps(properties["delta"])}
            elif event["type"] == "message.part.updated" and _is_answer(properties["part"]):
                # weir sends no delta that a snapshot right behind it holds too.
                whole = {n: (now_ns - at) / 1e6 for n, at in _stamps(properties["part"]["text"])}
                said = whole | said
            elif event["type"] == "session.idle":
                break
    if sorted(said) != list(range(deltas)):
        raise RuntimeError(f"{len(said)} of {deltas} deltas came")
    ordered = sorted(delay for n, delay in said.items() if n >= _FIRST)
    return quantile(ordered, 0.5), quantile(ordered, 0.99)


def _is_answer(part: dict[str, Any]) -> bool:
    return part["type"] == "text" and part["text"].startswith(_FIRST_STAMP)


def _stamps(text: str) -> list[tuple[int, int]]:
    """Return number and time of each delta in a text, which may be several that were merged."""
    pieces = (text[at : at + DEFAULT_SIZE] for at in range(0, len(text), DEFAULT_SIZE))
    return [(int(number), int(at)) for number, at, _ in (p.split("|", 2) for p in pieces)]
