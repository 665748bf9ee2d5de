"""Delays of numbered deltas: the text of a delta has its number and the time it was sent.

A delta is ``0000017|1234567890123456789|…``: its number, counted from 0 in an answer, and the time
in ns at which it was sent. A closing snapshot repeats the deltas of its part, and may be the first
event with the last of them: so a delta counts in the first event that contains it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from bus.events.catalogue import PartDelta, PartUpdated, SessionUpdated
from deploy.bench.latency import quantile
from deploy.bench.received import Received

_NUMBER = re.compile(r"(\d{7})\|(\d{19})\|")
_TEXTS = (PartDelta.type, PartUpdated.type, SessionUpdated.type)


class Delays(Struct):
    """Delays in ms over all deltas and readers, and how many deltas a reader received.

    Attributes:
        deliveries: received deltas, of all readers together.
        least: deltas of the reader with the fewest.
        most: deltas of the reader with the most.
        least_ms: the shortest delay.
    """

    deliveries: int
    least: int
    most: int
    least_ms: float
    p50: float
    p99: float
    p999: float
    max: float


def arrivals(received: Received, pieces: Iterable[tuple[int, bytes]], since_ns: int) -> list[int]:
    """Return the delay in ns of each delta, without a correction for different clocks.

    Args:
        received: the state of the reader.
        pieces: of its stream, each with the time at which it came.
        since_ns: the start of the answer, by the sender's clock; older deltas do not count.
    """
    expected, found = 0, []
    for came_ns, data in pieces:
        for event in received.feed(data):
            if event["type"] not in _TEXTS:
                continue
            for match in _NUMBER.finditer(_text(event["properties"])):
                number, sent_ns = int(match[1]), int(match[2])
                if number >= expected and sent_ns >= since_ns:
                    found.append(came_ns - sent_ns)
                    expected = number + 1
    return found


def summed_up(readers: Sequence[Sequence[int]], offset_ns: int) -> Delays:
    """Return the delays of all readers; all 0 if no delta came.

    Args:
        readers: delays in ns, for each reader.
        offset_ns: how far the readers' clock is behind the sender's.
    """
    counts = [len(one) for one in readers]
    ordered = sorted((delay + offset_ns) / 1e6 for one in readers for delay in one)
    if not ordered:
        return Delays(0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)
    p50, p99, p999 = (quantile(ordered, share) for share in (0.5, 0.99, 0.999))
    least, most = min(counts), max(counts)
    return Delays(len(ordered), least, most, ordered[0], p50, p99, p999, ordered[-1])


def _text(properties: dict[str, object]) -> str:
    for name, field in (("part", "text"), ("info", "title")):
        if isinstance(held := properties.get(name), dict):
            return str(held.get(field, ""))
    return str(properties.get("delta", ""))
