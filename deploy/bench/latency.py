"""Latencies of probes, in milliseconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

Window = tuple[int, int]
"""A period on the monotonic clock, in ns."""


class Latency(Struct):
    """Latencies of probes, from the time when each was due; infinite without an answer.

    ``sent_p99`` counts from the time when each was sent: it leaves out the time that the prober
    itself waited for a processor.
    """

    count: int
    p50: float
    p99: float
    max: float
    sent_p99: float


def latency(probes: Iterable[Sequence[int]], windows: Iterable[Window]) -> Latency:
    """Return the latency of probes ``(due_ns, sent_ns, done_ns)`` that were due in windows.

    All values are 0 if there were none.
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
    """Return the value that `share` of `ordered` (not empty) does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
