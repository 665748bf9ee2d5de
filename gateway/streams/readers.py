"""All open event streams of a gateway worker."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from heapq import nsmallest
from itertools import count
from operator import attrgetter

from bus.process.fairness import Gate, Turnstile
from gateway.relay import Entrance, Relay, ResumeVerdict, View, change_view, enter, go_on
from gateway.streams.counts import Sent
from gateway.streams.evictions import Cause, none_yet
from gateway.streams.lanes import Lanes
from gateway.streams.reader import UNNAMED, Reader, StreamClient


class TooManyReaders(Exception):
    """The worker has as many event streams as ``--max-readers`` allows, or is stopping."""


class Readers:
    """The open event streams of a worker, and what each is sent first. A reader is one stream.

    Args:
        relay: the log and the ledgers that the readers read.
        limit: how many streams may be open at once.

    Attributes:
        relay: the log and the ledgers that the readers read.
        received: how many events came over the bus.
        opened: how many streams were opened so far.
        resumes: how many streams began, by how their ``Last-Event-ID`` was understood.
        catch_ups: how often a reader continued whose position the log no longer had, by how.
        evictions: how many streams ended, by the `Cause`.
        sent: what was sent to all readers, including ended streams.
        lanes: groups of readers that have all events and wait for the next.
        turnstile: limits how many readers with much to write may write at once.
        gate: lets one reader after another compute what it lacks, since this takes long.
        on_end: called with each reader whose stream has ended; must not block.
    """

    def __init__(self, relay: Relay, limit: int) -> None:
        self.relay = relay
        self.received = 0
        self.opened = 0
        self.resumes = Counter({verdict.value: 0 for verdict in ResumeVerdict})
        self.catch_ups: Counter[str] = Counter()
        self.evictions = none_yet()
        self.turnstile = Turnstile()
        self.gate = Gate()
        self.sent = Sent()
        self.lanes = Lanes(relay, self.sent)
        self.on_end: Callable[[Reader], None] = lambda reader: None
        # Counted from the time in ms: a worker that replaces this worker starts later, so its
        # numbers differ.
        self._numbers = count(time.time_ns() // 1_000_000)
        self._limit = limit
        self._open: set[Reader] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Reader]:
        return iter(self._open)

    def open(
        self,
        view: View,
        last_id: str | None = None,
        from_now: bool = False,
        pace_s: float = 0.0,
        client: StreamClient = UNNAMED,
    ) -> Reader:
        """Register a reader, which gets all events that are appended to the log from now on.

        Args:
            view: which events the reader gets, and in which form.
            last_id: the last event id that the client has seen on an earlier stream.
            from_now: without a `last_id`, the reader gets no events from before now.
            pace_s: the shortest time between deltas of the same text; 0 sends each at once.
            client: the client that opens the stream.

        Raises:
            TooManyReaders: the limit is reached, or the worker is stopping.
        """
        if self._closed or len(self._open) >= self._limit:
            raise TooManyReaders
        reader = Reader(
            view,
            last_id,
            self.relay.head,
            from_now,
            pace_s,
            self.sent,
            next(self._numbers),
            client,
        )
        self._open.add(reader)
        self.opened += 1
        return reader

    def come_in(self, reader: Reader) -> Entrance:
        """Return what a reader is sent when its stream begins."""
        entrance = enter(self.relay, reader.last_id, reader.view, time.time_ns(), reader.from_now)
        self.resumes[entrance.verdict.value] += 1
        reader.resumed = entrance.resumed
        return entrance

    def turn(self, reader: Reader) -> Entrance:
        """Set the view given to `Reader.turn_to`; return what the reader is sent first with it."""
        begins = not reader.placed
        since_ns = reader.turn()
        if begins and reader.last_id:
            return self.come_in(reader)
        if begins:
            self.resumes[ResumeVerdict.FRESH.value] += 1
            reader.resumed, since_ns = False, _came_ns(reader)
        return change_view(self.relay, reader.view, since_ns, reader.from_now)

    def catch_up(self, reader: Reader) -> Entrance:
        """Return what a reader is sent whose position the log no longer has."""
        entrance = go_on(
            self.relay,
            reader.cursor.marks,
            reader.last_id,
            reader.view,
            _came_ns(reader),
            reader.from_now,
        )
        self.catch_ups[entrance.verdict.value] += 1
        return entrance

    def furthest_back(self, count: int) -> list[Reader]:
        """Return the `count` readers whose position in the log is the oldest, the oldest first."""
        candidates = [reader for reader in self._open if reader.rank is None]
        candidates += self.lanes.furthest_back(count)
        return nsmallest(count, candidates, key=attrgetter("position"))

    def numbered(self, number: int) -> Reader | None:
        """Return the open reader with `number`, None if there is no such reader."""
        return next((reader for reader in self._open if reader.number == number), None)

    def discard(self, reader: Reader) -> None:
        """Remove a reader whose stream has ended, and count the end.

        If no cause is set, a write to the client has failed, and the client counts as gone.
        """
        if reader in self._open:
            self._open.remove(reader)
            reader.left = reader.left or Cause.GONE
            self.evictions[reader.left.value] += 1
            self.on_end(reader)
        reader.leave_rank()

    def close(self) -> None:
        """End all streams, and open no more."""
        self._closed = True
        for reader in list(self._open):
            reader.leave(Cause.DRAINED)


def _came_ns(reader: Reader) -> int:
    return time.time_ns() - int((time.monotonic() - reader.opened_at) * 1e9)
