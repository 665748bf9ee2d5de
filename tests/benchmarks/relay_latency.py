"""How long a delta is on its way from the model to a reader."""

import time

from tests.benchmarks.latency import quantile
from tests.benchmarks.relay_target import Target
from tests.fakes.texts import DEFAULT_SIZE
from tests.sse_client import SseClient

PER_SECOND = 100
DELTAS = 600
_FIRST = 50
"""Deltas of the start that do not count."""


def delays_ms(target: Target) -> tuple[float, float]:
    """Return p50 and p99 at `PER_SECOND` deltas a second, in ms."""
    said: dict[int, float] = {}
    with SseClient(f"{target.url}{target.stream}") as stream:
        stream.next()
        session = target.api.create()
        target.api.prompt(session, f"rate {PER_SECOND} {DELTAS}")
        for event in stream.events():
            now_ns = time.monotonic_ns()
            properties = event["properties"]
            if properties.get("sessionID") != session:
                continue
            if event["type"] == "message.part.delta":
                said |= {n: (now_ns - at) / 1e6 for n, at in _stamps(properties["delta"])}
            elif event["type"] == "session.idle":
                break
    if sorted(said) != list(range(DELTAS)):
        raise RuntimeError(f"{len(said)} of {DELTAS} deltas came")
    ordered = sorted(delay for n, delay in said.items() if n >= _FIRST)
    return quantile(ordered, 0.5), quantile(ordered, 0.99)


def _stamps(text: str) -> list[tuple[int, int]]:
    """Return number and time of each delta in a text, which may be several that were merged."""
    pieces = (text[at : at + DEFAULT_SIZE] for at in range(0, len(text), DEFAULT_SIZE))
    return [(int(number), int(at)) for number, at, _ in (p.split("|", 2) for p in pieces)]
