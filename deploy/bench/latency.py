"""Computes how long requests (probes) took to be answered, in milliseconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

Window = tuple[int, int]
"""The begin and the end of a period, in ns on the monotonic clock."""


class Latency(Struct):
    """The latencies of probes, in ms; infinite for a probe without an answer.

    A latency counts from the time at which the probe was due. Only ``sent_p99`` counts from the
    time at which the probe was really sent: the time for which the prober itself had to wait for a
    CPU is left out.
    """

    count: int
    p50: float
    p99: float
    max: float
    sent_p99: float


def latency(probes: Iterable[Sequence[int]], windows: Iterable[Window]) -> Latency:
    """Return the latency of the probes that were due in any of the windows.

    All values are 0 if there was no such probe.

    Args:
        probes: ``(due_ns, sent_ns, done_ns)`` of each probe; ``done_ns`` is 0 without an answer.
        windows: the periods that count.
    """
    spans = list(windows)
    inside = [p for p in probes if any(start <= p[0] < end for start, end in spans)]
    if not inside:
        return Latency(0, 0.0, 0.0, 0.0, 0.0)
    taken = sorted((done - due) / 1e6 if done else math.inf for due, _, done in inside)
    sent = sorted((done - sent) / 1e6 if done else math.inf for _, sent, done in inside)
    return Latency(
        len(taken), quantile(taken, 0.5), quantile(taken, 0.99), max(taken), quantile(sent, 0.99)
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the quantile of sorted values: `share` of them (0 to 1) are at most this value."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
