"""Says in words whether the measurements of a server are good."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from deploy.bench.load import Measured

_SMOOTH_MS, _SLOW_MS = 100.0, 500.0
"""Limits for the delay of events: up to the first, no person notices it; over the second, a
person who reads has to wait."""
_PROMPT_MS, _STUCK_MS = 100.0, 1000.0
"""The same two limits for other requests; the measured request is `GET /global/health`."""


class BenchVerdict(Struct, frozen=True):
    """The result: lines of text, and whether no text was lost and no limit was exceeded."""

    words: list[str]
    well: bool


def verdict(measured: Sequence[Measured]) -> BenchVerdict:
    """Judge the measurements of all parts."""
    lines = [line for one in measured for line in _lines(one)]
    return BenchVerdict([words for words, _ in lines], all(well for _, well in lines))


def _lines(one: Measured) -> Iterator[tuple[str, bool]]:
    if one.lost:
        yield f"{one.work}: LOST: {one.lost} of the readers do not have all the text", False
    if one.note:
        yield f"{one.work}: {one.note}", True
    if one.delays is not None:
        yield f"{one.work}: {_delay_words(one.delays.p99)}", one.delays.p99 <= _SLOW_MS
    yield f"{one.work}: {_health_words(one.health.p99)}", one.health.p99 <= _STUCK_MS


def _delay_words(p99: float) -> str:
    if p99 <= _SMOOTH_MS:
        return f"99 % of all events arrive within {p99:.0f} ms: smooth"
    if p99 <= _SLOW_MS:
        return f"1 % of all events arrive after {p99:.0f} ms or later: a person sees stutter"
    return f"SLOW: 1 % of all events arrive after {p99:.0f} ms or later"


def _health_words(p99: float) -> str:
    if math.isinf(p99):
        return "STUCK: requests for the server's health got no answer"
    if p99 <= _PROMPT_MS:
        return f"other requests are answered meanwhile, 99 % within {p99:.0f} ms"
    if p99 <= _STUCK_MS:
        return f"other requests are slower meanwhile: 1 % take {p99:.0f} ms or more"
    return f"STUCK: 1 % of other requests take {p99:,.0f} ms or more meanwhile"
