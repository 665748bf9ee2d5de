"""The one log of a worker: every envelope once, bounded by count and by bytes.

A reader is a position in it. Appending costs the same for one reader and for ten thousand.
The log is cut into segments, and a run never crosses from one into the next: that bounds what
one run can cost a reader, and readers who lag meet at the cuts and share their frames.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from msgspec import Struct

from bus.envelope import Envelope

SEGMENT_EVENTS = 1024
SEGMENT_TEXT_BYTES = 24 * 1024
_ENVELOPE_BYTES = 1000  # what an envelope takes in memory beside its text


class FellOff(Exception):
    """The position asked for is older than all that the log still holds."""


class Run(Struct, frozen=True):
    """Envelopes from position `start` up to, but without, position `end`."""

    start: int
    end: int
    envelopes: Sequence[Envelope]


class _Segment:
    __slots__ = ("envelopes", "size", "start", "text")

    def __init__(self, start: int) -> None:
        self.start = start
        self.envelopes: list[Envelope] = []
        self.size = 0
        self.text = 0

    @property
    def full(self) -> bool:
        return self.text >= SEGMENT_TEXT_BYTES or len(self.envelopes) >= SEGMENT_EVENTS


class Log:
    """Append-only, oldest segments dropped past the bounds.

    Args:
        max_events: how many envelopes it holds at the most.
        max_bytes: how many bytes they may take (text and a flat cost for each); the newest
            segment is held whatever its size.
    """

    def __init__(self, max_events: int = 100_000, max_bytes: int = 48 * 1024 * 1024) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._segments = [_Segment(0)]
        self.size = 0

    @property
    def head(self) -> int:
        """The position that the next envelope will take."""
        newest = self._segments[-1]
        return newest.start + len(newest.envelopes)

    @property
    def tail(self) -> int:
        """The position of the oldest envelope held."""
        return self._segments[0].start

    def append(self, envelope: Envelope) -> None:
        """Add an envelope at the head."""
        segment = self._segments[-1]
        if segment.full:
            segment = _Segment(self.head)
            self._segments.append(segment)
        text = envelope.event.size
        segment.envelopes.append(envelope)
        segment.text += text
        segment.size += text + _ENVELOPE_BYTES
        self.size += text + _ENVELOPE_BYTES
        if self.size > self._max_bytes or self.head - self.tail > self._max_events:
            self._evict()

    def run(self, position: int) -> Run:
        """Return what stands at `position` and after it, to the end of its segment.

        Raises:
            FellOff: `position` is before the tail.
        """
        if position < self.tail:
            raise FellOff(f"position {position} is before {self.tail}")
        index = bisect_right(self._segments, position, key=lambda segment: segment.start) - 1
        segment = self._segments[index]
        envelopes = segment.envelopes[position - segment.start :]
        return Run(position, position + len(envelopes), envelopes)

    def _evict(self) -> None:
        while len(self._segments) > 1 and (
            self.size > self._max_bytes or self.head - self.tail > self._max_events
        ):
            self.size -= self._segments.pop(0).size
