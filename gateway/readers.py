"""All open streams of a worker: who they are, and when they are woken."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import gevent
from gevent.event import Event

from gateway.counts import Sent, total
from gateway.evictions import Cause, none_yet
from gateway.reader import Lane, Reader
from gateway.relay import Entrance, Relay, Verdict, View, enter, go_on, look_elsewhere
from gateway.relay.pacing import pause_after
from gateway.turnstile import Turnstile

_AT_ONCE = 32


class TooManyReaders(Exception):
    """The worker holds as many streams as it is allowed to, or is closing."""


class Readers:
    """Registers readers, and wakes those who wait, lane by lane, each at its own pace.

    Args:
        relay: the core they read from.
        limit: how many streams there may be at once.

    Attributes:
        received: how many events the bus has brought.
        opened: how many streams there were so far.
        resumes: how often readers came in, by what became of their last id.
        catch_ups: how often one that had fallen off the log went on, likewise.
        evictions: how many streams have ended, by the `Cause`.
        turnstile: for readers who have much to write.
    """

    def __init__(self, relay: Relay, limit: int) -> None:
        self.relay = relay
        self.received = 0
        self.opened = 0
        self.resumes = Counter({verdict.value: 0 for verdict in Verdict})
        self.catch_ups: Counter[str] = Counter()
        self.evictions = none_yet()
        self.turnstile = Turnstile()
        self._sent_to_gone = Sent()
        self._limit = limit
        self._open: set[Reader] = set()
        self._lanes: dict[tuple[View, object], Lane] = {}
        self._grown = Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Reader]:
        return iter(self._open)

    @property
    def sent(self) -> Sent:
        """What all readers were sent, those that are gone included."""
        return total([self._sent_to_gone, *(reader.sent for reader in self._open)])

    def open(self, view: View, last_id: str | None = None, from_now: bool = False) -> Reader:
        """Register a reader: whatever is appended from now on, it gets.

        Args:
            view: what it gets.
            last_id: the last it has seen of an earlier stream.
            from_now: without a `last_id`, it gets nothing of what was before.

        Raises:
            TooManyReaders: the limit is reached.
        """
        if self._closed or len(self._open) >= self._limit:
            raise TooManyReaders
        reader = Reader(view, last_id, self.relay.head, from_now)
        self._open.add(reader)
        self.opened += 1
        return reader

    def come_in(self, reader: Reader) -> Entrance:
        """Return what a reader is told first."""
        entrance = enter(self.relay, reader.last_id, reader.view, time.time_ns(), reader.from_now)
        self.resumes[entrance.verdict.value] += 1
        reader.resumed = entrance.resumed
        return entrance

    def turn(self, reader: Reader) -> Entrance:
        """Give a reader its other view; returns what it is told first in that."""
        reader.leave_lane()
        begins = not reader.placed
        since_ns = reader.turn()
        if begins and reader.last_id:
            return self.come_in(reader)
        if begins:
            self.resumes[Verdict.FRESH.value] += 1
            reader.resumed, since_ns = False, _came_ns(reader)
        return look_elsewhere(self.relay, reader.view, since_ns, reader.from_now)

    def catch_up(self, reader: Reader) -> Entrance:
        """Return what a reader is told that has fallen off the log."""
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

    def discard(self, reader: Reader) -> None:
        """Forget a reader; one of whose end nobody has said why has broken off a write."""
        if reader in self._open:
            self._open.remove(reader)
            reader.left = reader.left or Cause.GONE
            self.evictions[reader.left.value] += 1
            self._sent_to_gone = total([self._sent_to_gone, reader.sent])
        reader.leave_lane()

    def close(self) -> None:
        """End every stream, and open no more."""
        self._closed = True
        for reader in self._open:
            reader.leave(Cause.DRAINED)

    def wait(self, reader: Reader, timeout_s: float) -> None:
        """Block until there may be something for `reader` to do, at most `timeout_s`.

        It has to stand at the head; what its view does not admit, it has passed afterwards.
        """
        reader.wake.clear()
        if reader.gone or reader.turning:
            return
        self.lane(reader).join(reader)
        reader.wake.wait(timeout_s)
        reader.leave_lane()

    def log_has_grown(self) -> None:
        """Have it looked who is to be woken."""
        self._grown.set()

    def run(self) -> None:
        """Flush lanes as the log grows, for ever; a greenlet of its own."""
        while True:
            self._grown.wait()
            self._grown.clear()
            started = time.perf_counter()
            for lane in self.with_news():
                gevent.spawn(self._flush, lane)
            gevent.sleep(pause_after(time.perf_counter() - started))

    def lane(self, reader: Reader) -> Lane:
        """Return where those wait who see the same, and have to pass the same over."""
        cursor = reader.cursor
        key = reader.view, () if cursor.is_even else cursor.starts
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(reader.view, cursor)
        return lane

    def with_news(self) -> Iterator[Lane]:
        """Yield the lanes to flush; other work comes in between."""
        for number, (key, lane) in enumerate(list(self._lanes.items()), start=1):
            if lane.flushing:
                continue
            if not lane.readers:
                del self._lanes[key]
            elif lane.has_news(self.relay):
                yield lane
            if number % _AT_ONCE == 0:
                gevent.sleep(0)

    def _flush(self, lane: Lane) -> None:
        """Wake all who wait in a lane, some at a time, and let it be for as long as that was dear.

        Each lane by itself: one with many readers does not hold up another.
        """
        lane.flushing = True
        started = time.perf_counter()
        for number, reader in enumerate(lane.emptied(), start=1):
            reader.wake.set()
            if number % _AT_ONCE == 0:
                gevent.sleep(0)
        gevent.sleep(0)
        gevent.sleep(pause_after(time.perf_counter() - started))
        lane.flushing = False
        self._grown.set()


def _came_ns(reader: Reader) -> int:
    return time.time_ns() - int((time.monotonic() - reader.opened_at) * 1e9)
