"""All open streams of a worker: who they are, and when their lanes are flushed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from heapq import nsmallest
from itertools import chain, count, islice
from operator import attrgetter

import gevent
from gevent.event import Event

from gateway.counts import Sent
from gateway.evictions import Cause, none_yet
from gateway.lane import Lane
from gateway.proxy.timeslice import TimeSlice
from gateway.reader import UNNAMED, Client, Reader
from gateway.relay import Entrance, Relay, Verdict, View, enter, go_on, look_elsewhere
from gateway.relay.pacing import pause_after
from gateway.turnstile import Turnstile

_LOOK_AT_ALL_S = 0.5
_LOOK_AT_ALL_SHARE = 1 / 8
"""Of what the log may hold, in events and in bytes, less comes between two looks at all lanes."""


class TooManyReaders(Exception):
    """The worker holds as many streams as it is allowed to, or is closing."""


class Readers:
    """Registers readers, and flushes the lanes in which they wait, each at its own pace.

    Args:
        relay: the core they read from.
        limit: how many streams there may be at once.

    Attributes:
        received: how many events the bus has brought.
        opened: how many streams there were so far.
        resumes: how often readers came in, by what became of their last id.
        catch_ups: how often one that had fallen off the log went on, likewise.
        evictions: how many streams have ended, by the `Cause`.
        sent: what all readers were sent, those that are gone included.
        turnstile: for readers who have much to write.
        on_end: called with each reader whose stream has ended; must not block.
    """

    def __init__(self, relay: Relay, limit: int) -> None:
        self.relay = relay
        self.received = 0
        self.opened = 0
        self.resumes = Counter({verdict.value: 0 for verdict in Verdict})
        self.catch_ups: Counter[str] = Counter()
        self.evictions = none_yet()
        self.turnstile = Turnstile()
        self.sent = Sent()
        self.on_end: Callable[[Reader], None] = lambda reader: None
        # A worker that takes this one's seat begins later, so it uses other numbers.
        self._numbers = count(time.time_ns() // 1_000_000)
        self._limit = limit
        self._open: set[Reader] = set()
        self._lanes: dict[tuple[View, bool, float], Lane] = {}
        self._behind: set[Lane] = set()
        self._rest_until = 0.0
        self._looked_at_all = 0.0, 0, 0
        self._grown = Event()
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
        client: Client = UNNAMED,
    ) -> Reader:
        """Register a reader: whatever is appended from now on, it gets.

        Args:
            view: what it gets.
            last_id: the last it has seen of an earlier stream.
            from_now: without a `last_id`, it gets nothing of what was before.
            pace_s: the least time between two flushes of further deltas; 0 for none.
            client: who opens it.

        Raises:
            TooManyReaders: the limit is reached.
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
        """Return what a reader is told first."""
        entrance = enter(self.relay, reader.last_id, reader.view, time.time_ns(), reader.from_now)
        self.resumes[entrance.verdict.value] += 1
        reader.resumed = entrance.resumed
        return entrance

    def turn(self, reader: Reader) -> Entrance:
        """Give a reader its other view; returns what it is told first in that."""
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

    def furthest_back(self, count: int) -> list[Reader]:
        """Return so many readers that lag most, the last of them first."""
        candidates = [reader for reader in self._open if reader.rank is None]
        ranks = chain.from_iterable(lane.ranks for lane in self._lanes.values())
        last = nsmallest(count, ranks, key=attrgetter("cursor.position"))
        candidates += islice(chain.from_iterable(rank.readers for rank in last), count)
        return nsmallest(count, candidates, key=attrgetter("position"))

    def numbered(self, number: int) -> Reader | None:
        """Return the open reader of that number."""
        return next((reader for reader in self._open if reader.number == number), None)

    def discard(self, reader: Reader) -> None:
        """Forget a reader; one of whose end nobody has said why has broken off a write."""
        if reader in self._open:
            self._open.remove(reader)
            reader.left = reader.left or Cause.GONE
            self.evictions[reader.left.value] += 1
            self.on_end(reader)
        reader.leave_rank()

    def close(self) -> None:
        """End every stream, and open no more."""
        self._closed = True
        for reader in list(self._open):
            reader.leave(Cause.DRAINED)

    def settle(self, reader: Reader) -> None:
        """Have a reader with an outlet wait at the head of the log; does not block."""
        assert reader.outlet is not None
        if reader.turning:
            reader.outlet.work()
            return
        lane = self._lane(reader.view, reader.outlet.chunked, reader.pace_s)
        lane.join(reader)
        if reader.position < self.relay.log.head:
            self._behind.add(lane)
            self._grown.set()

    def log_has_grown(self) -> None:
        """Have lanes flushed soon; does not block."""
        self._grown.set()

    def run(self) -> None:
        """Flush lanes for those who do not call `flush`, for ever; a greenlet of its own."""
        while True:
            self._grown.wait(_LOOK_AT_ALL_S)
            self._grown.clear()
            gevent.sleep(max(0.0, self._rest_until - time.monotonic()))
            self.flush()

    def flush(self) -> None:
        """Flush the lanes with news: at once where that is cheap; others get their turns."""
        if time.monotonic() < self._rest_until:
            self._grown.set()
            return
        turn, flushed_s = TimeSlice(), 0.0
        for lane in self.with_news(turn):
            if pause_after(lane.cost_s) or lane.is_held_back():
                lane.flushing = True
                gevent.spawn(self._flush, lane)
            else:
                self._flush_at_once(lane, turn)
                flushed_s += lane.cost_s
        if pause_s := pause_after(turn.spent_s - flushed_s):
            self._rest_until = time.monotonic() + pause_s

    def with_news(self, turn: TimeSlice) -> Iterator[Lane]:
        """Yield the lanes to flush; others get their turns in between.

        A lane is passed over if no event since the last call is for its view. Its readers stay
        behind then, until a look at all lanes, which comes before the log forgets their place.
        """
        news, behind, all_of_them = self.relay.news(), self._behind, self._is_time_for_all()
        self._behind = set()
        for key, lane in list(self._lanes.items()):
            turn.pass_on_if_over()
            if not (all_of_them or news.concerns(lane.view) or lane in behind):
                continue
            if lane.flushing:
                lane.hurry()
            elif lane.has_before(self.relay.log.head):
                self._behind.add(lane)
                yield lane
            elif not lane and self._lanes.get(key) is lane:
                del self._lanes[key]

    def _is_time_for_all(self) -> bool:
        now, log = time.monotonic(), self.relay.log
        looked_at, head, text = self._looked_at_all
        events, size = log.head - head, log.text - text
        share = max(events / log.max_events, size / log.max_bytes)
        if now < looked_at + _LOOK_AT_ALL_S and size >= 0 and share < _LOOK_AT_ALL_SHARE:
            return False
        self._looked_at_all = now, log.head, log.text
        return True

    def _flush_at_once(self, lane: Lane, turn: TimeSlice) -> None:
        lane.flushing = True
        try:
            lane.flush(turn)
        finally:
            lane.flushing = False
        if lane.has_before(self.relay.log.head):
            self._grown.set()

    def _flush(self, lane: Lane) -> None:
        """Flush a lane for as long as it has news, and let it be in proportion to the cost.

        Each lane by itself: one with many readers does not hold up another.
        """
        try:
            # Its readers may leave at any moment: then nothing is left to flush.
            while lane.has_before(self.relay.log.head):
                lane.hold_back()
                head = self.relay.log.head
                while lane.has_before(head):
                    lane.flush(TimeSlice())
                    gevent.sleep(pause_after(lane.cost_s))
        finally:
            lane.flushing = False

    def _lane(self, view: View, chunked: bool, pace_s: float) -> Lane:
        """Return where those wait who get the same bytes at the same pace."""
        key = view, chunked, pace_s
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self.relay, view, chunked, pace_s, self.sent)
        return lane


def _came_ns(reader: Reader) -> int:
    return time.time_ns() - int((time.monotonic() - reader.opened_at) * 1e9)
