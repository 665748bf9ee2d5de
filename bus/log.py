"""A bounded log of envelopes: every one once, the oldest dropped past the bounds.

A gateway's worker keeps a log, and a reader is a position in it; a source keeps a log, and repairs
gaps from it. Appending costs the same for any number of readers. The log is cut into segments, and
a run does not cross from one into the next: that bounds what one run can cost, and readers that
lag meet at the cuts. A long run crosses cuts, for readers that stand at the head and share its
cost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from msgspec import Struct

from bus.envelope import Envelope

SEGMENT_EVENTS = 1024
SEGMENT_TEXT_BYTES = 24 * 1024
LONG_RUN_EVENTS = 4 * SEGMENT_EVENTS
LONG_RUN_TEXT_BYTES = 512 * 1024
HELD_S = 10.0
ENVELOPE_BYTES = 1000  # what an envelope takes in memory beside its text


class FellOff(LookupError):
    """The position asked for is older than all that the log still holds."""


class Run(Struct, frozen=True):
    """Envelopes from position `start` up to, but without, position `end`."""

    start: int
    end: int
    envelopes: Sequence[Envelope]


class _Segment:
    __slots__ = ("before", "envelopes", "start", "text")

    def __init__(self, start: int, before: int = 0) -> None:
        self.start = start
        self.before = before
        self.envelopes: list[Envelope] = []
        self.text = 0

    @property
    def end(self) -> int:
        return self.start + len(self.envelopes)

    @property
    def size(self) -> int:
        return self.text + ENVELOPE_BYTES * len(self.envelopes)

    def find(self, source: str, epoch: str, seq: int) -> int:
        """Return the position of the first of a source's envelopes that follows `seq`."""
        reached = False
        for position, envelope in enumerate(self.envelopes, self.start):
            if envelope.source == source:
                reached = reached or envelope.epoch == epoch
                if reached and (envelope.epoch != epoch or envelope.seq > seq):
                    return position
        return self.end


class Log:
    """Append-only. The two newest segments are held whatever their size, for `HELD_S` at least.

    Args:
        max_events: how many envelopes it holds at the most.
        max_bytes: how many bytes they may take in memory.
        start: position of the first envelope.

    Attributes:
        max_events: as given.
        max_bytes: as given.
        cuts: how many segments have been filled.
        head: the position that the next envelope will take.
    """

    def __init__(
        self,
        max_events: int = 100_000,
        max_bytes: int = 48 * 1024 * 1024,
        start: int = 0,
    ) -> None:
        self.max_events = max_events
        self.max_bytes = max_bytes
        self._newest = _Segment(start)
        self._segments = [self._newest]
        self._size_of_full = 0
        self._over: tuple[int, float] | None = None
        self.cuts = 0
        self.head = start

    @property
    def tail(self) -> int:
        """The position of the oldest envelope held."""
        return self._segments[0].start

    @property
    def size(self) -> int:
        """Bytes that the envelopes take in memory."""
        return self._size_of_full + self._newest.size

    @property
    def text(self) -> int:
        """Bytes of all text that was appended since the last restart."""
        return self._newest.before + self._newest.text

    def append(self, envelope: Envelope) -> int:
        """Add an envelope at the head; return the bytes of its text."""
        segment, size = self._newest, envelope.event.size
        segment.envelopes.append(envelope)
        segment.text += size
        self.head += 1
        if segment.text >= SEGMENT_TEXT_BYTES or len(segment.envelopes) >= SEGMENT_EVENTS:
            self._begin_segment()
        return size

    def run(self, position: int) -> Run:
        """Return what stands at `position` and after it, to the end of its segment.

        Raises:
            FellOff: `position` is before the tail.
        """
        if position < self.tail:
            raise FellOff(f"position {position} is before {self.tail}")
        segment = self._segment_of(position)
        envelopes = segment.envelopes[position - segment.start :]
        return Run(position, position + len(envelopes), envelopes)

    def long_run(self, position: int) -> Run:
        """Return what stands at `position` and after it, in as many segments as a long run holds.

        Raises:
            FellOff: `position` is before the tail.
        """
        run = self.run(position)
        envelopes, text = list(run.envelopes), 0
        for segment in self._segments[self._index_of(position) + 1 :]:
            text += segment.text
            events = len(envelopes) + len(segment.envelopes)
            if events > LONG_RUN_EVENTS or text > LONG_RUN_TEXT_BYTES:
                break
            envelopes += segment.envelopes
        return Run(position, position + len(envelopes), envelopes)

    def find(self, source: str, epoch: str, seq: int) -> int | None:
        """Return the position of what follows `seq` of a source, None if that is not all held.

        Of a source that has begun another epoch since, that is its first event there.
        """
        for segment in reversed(self._segments):
            first = next((e for e in segment.envelopes if e.epoch == epoch), None)
            if first is not None and first.seq <= seq + 1:
                return segment.find(source, epoch, seq)
        return None

    def envelopes(self) -> Iterator[Envelope]:
        """Yield all that is held, the oldest first."""
        for segment in self._segments:
            yield from segment.envelopes

    def restart(self) -> None:
        """Forget all: what is appended next does not follow what came before."""
        self.head += 1
        self._newest = _Segment(self.head)
        self._segments = [self._newest]
        self._size_of_full = 0

    def let_go(self, now: float) -> None:
        """Drop an event past the bounds, once all who read at a usual pace have had it.

        Without this it would be held until enough others follow, which may be hours.

        Args:
            now: `time.monotonic()`; to be called about once a second.
        """
        if self._size_of_full <= self.max_bytes:
            self._over = None
        elif self._over is None or self._over[0] != self.cuts:
            self._over = self.cuts, now
        elif now - self._over[1] >= HELD_S:
            while len(self._segments) > 1 and self._size_of_full > self.max_bytes:
                self._size_of_full -= self._segments.pop(0).size

    def text_after(self, position: int) -> int:
        """Return the bytes of text from `position`, or from the tail, to the head."""
        position = max(position, self.tail)
        segment = self._segment_of(position)
        passed = segment.envelopes[: position - segment.start]
        text = segment.before + sum(envelope.event.size for envelope in passed)
        return self.text - text

    def _segment_of(self, position: int) -> _Segment:
        newest = self._newest
        return newest if position >= newest.start else self._segments[self._index_of(position)]

    def _index_of(self, position: int) -> int:
        return bisect_right(self._segments, position, key=lambda segment: segment.start) - 1

    def _begin_segment(self) -> None:
        self.cuts += 1
        self._size_of_full += self._newest.size
        full = self._newest
        self._newest = _Segment(full.end, full.before + full.text)
        self._segments.append(self._newest)
        while len(self._segments) > 2 and (
            self._size_of_full > self.max_bytes or self.head - self.tail > self.max_events
        ):
            self._size_of_full -= self._segments.pop(0).size
