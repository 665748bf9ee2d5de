"""Computes how long deltas take from the model to the readers, from times in their texts.

The text of a delta is ``0000017|1234567890123456789|…``: its number in the answer, from 0, and the
time in ns at which it was sent. The last snapshot of a part repeats the text of all its deltas,
and may arrive instead of the last of them. So the delay of a delta is measured at the first event
that contains the delta.
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
    """The delays of all deltas at all readers, in ms, and how many deltas were received.

    Attributes:
        deliveries: how many deltas all readers together have received.
        least: how many deltas the reader with the fewest deltas has received.
        most: how many deltas the reader with the most deltas has received.
        least_ms: the shortest delay.
        p50: the median of the delays.
        p99: 99 % of the delays are at most as long.
        p999: 99.9 % of the delays are at most as long.
        max: the longest delay.
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
    """Return the delay of each delta in ns; the difference of two machines' clocks is included.

    Args:
        received: the state of the reader; takes the bytes.
        pieces: the bytes of the reader's stream, in pieces, each with the time of its arrival.
        since_ns: when the answer began, by the sender's clock; deltas sent before are ignored.
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
    """Sum up the delays of all readers; all values are 0 if no delta was received.

    Args:
        readers: for each reader, its delays in ns.
        offset_ns: by how much the readers' clock is behind the sender's clock.
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
