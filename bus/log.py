"""A bounded log of envelopes; past the bounds, the oldest are dropped.

A gateway's worker keeps a log, and a reader is a position in this log. A source also keeps a log
(its journal), and repairs gaps from it. Appending costs the same for any number of readers.

A reader takes the log in pieces, called runs. The log is divided into segments, and a run ends at
the end of a segment. This bounds the cost of one run. Readers that lag get runs with the same
borders, so the work on a run is done once for all of them. A long run may cover several segments;
it is for readers near the head, which share its cost.
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
    """The position is older than all envelopes in the log."""


class Run(Struct, frozen=True):
    """A piece of the log: the envelopes from position `start` up to and without `end`."""

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
        """Return the position of the first envelope of `source` that follows `seq`."""
        reached = False
        for position, envelope in enumerate(self.envelopes, self.start):
            if envelope.source == source:
                reached = reached or envelope.epoch == epoch
                if reached and (envelope.epoch != epoch or envelope.seq > seq):
                    return position
        return self.end


class Log:
    """A log. The two newest segments are kept whatever their size, for at least `HELD_S`.

    Args:
        max_events: how many envelopes it may hold.
        max_bytes: how many bytes the envelopes may take in memory.
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
        """The position of the oldest envelope."""
        return self._segments[0].start

    @property
    def size(self) -> int:
        """Bytes that the envelopes take in memory."""
        return self._size_of_full + self._newest.size

    @property
    def text(self) -> int:
        """Bytes of all text that was appended since the last call of `restart`."""
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
        """Return the envelopes from `position` to the end of its segment.

        Raises:
            FellOff: `position` is before the tail.
        """
        if position < self.tail:
            raise FellOff(f"event {position} is dropped; the oldest that is kept is {self.tail}")
        segment = self._segment_of(position)
        envelopes = segment.envelopes[position - segment.start :]
        return Run(position, position + len(envelopes), envelopes)

    def long_run(self, position: int) -> Run:
        """Return the envelopes from `position` on, over as many segments as a long run may cover.

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
        """Return the position after event `seq` of a source, None if later events are dropped.

        If a later epoch of the source has begun since, this is the position of its first event.
        """
        for segment in reversed(self._segments):
            first = next((e for e in segment.envelopes if e.epoch == epoch), None)
            if first is not None and first.seq <= seq + 1:
                return segment.find(source, epoch, seq)
        return None

    def envelopes(self) -> Iterator[Envelope]:
        """Yield all envelopes, oldest first."""
        for segment in self._segments:
            yield from segment.envelopes

    def restart(self) -> None:
        """Drop all envelopes: the next one does not follow the previous one."""
        self.head += 1
        self._newest = _Segment(self.head)
        self._segments = [self._newest]
        self._size_of_full = 0

    def let_go(self, now: float) -> None:
        """Drop a full segment past the bounds, once every reader at a usual pace has read it.

        `append` drops segments only when a new one begins, which may take hours on a quiet bus.

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
