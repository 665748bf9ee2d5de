"""When the lanes of a worker are flushed: each at its own pace, none without news."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from heapq import nsmallest
from itertools import chain, islice
from operator import attrgetter

import gevent
from gevent.event import Event

from bus.process.fairness import TimeSlice, pause_after
from gateway.relay import Relay, View
from gateway.relay.latest import Subject, subjects_of
from gateway.streams.counts import Sent
from gateway.streams.lane import Lane
from gateway.streams.reader import Reader

_LOOK_AT_ALL_S = 0.5
_LOOK_AT_ALL_SHARE = 1 / 8
"""Of what the log may hold, in events and in bytes, less comes between two looks at all lanes."""


class Lanes:
    """All lanes.

    What receives from the bus calls `flush` itself when it has received all: so an event goes from
    the bus to the sockets in one greenlet. A lane that is costly to flush, or that its pace holds
    back, gets a greenlet of its own.

    Args:
        relay: where the steps of the lanes come from.
        everyone: counts what all readers of the worker are sent.
    """

    def __init__(self, relay: Relay, everyone: Sent) -> None:
        self._relay = relay
        self._everyone = everyone
        self._lanes: dict[tuple[View, bool, float], Lane] = {}
        self._by_subject: defaultdict[Subject, dict[Lane, None]] = defaultdict(dict)
        self._behind: set[Lane] = set()
        self._rest_until = 0.0
        self._looked_at_all = 0.0, 0, 0
        self._grown = Event()

    def furthest_back(self, count: int) -> list[Reader]:
        """Return so many readers of those that lag most; they are in no order."""
        ranks = chain.from_iterable(lane.ranks for lane in self._lanes.values())
        last = nsmallest(count, ranks, key=attrgetter("cursor.position"))
        return list(islice(chain.from_iterable(rank.readers for rank in last), count))

    def settle(self, reader: Reader) -> None:
        """Have a reader with an outlet wait at the head of the log; does not block."""
        assert reader.outlet is not None
        if reader.turning:
            reader.outlet.work()
            return
        lane = self._lane(reader.view, reader.outlet.chunked, reader.pace_s)
        lane.join(reader)
        if reader.position < self._relay.log.head:
            self._behind.add(lane)
            self._grown.set()

    def log_has_grown(self) -> None:
        """Have lanes flushed soon; does not block."""
        self._grown.set()

    def run(self) -> None:
        """Flush lanes for code that does not call `flush`, for ever; a greenlet of its own."""
        while True:
            self._grown.wait(_LOOK_AT_ALL_S)
            self._grown.clear()
            if self.is_time_for_all():
                turn = TimeSlice()
                paid_s = self._flush_all(turn, every_lane=True)
                gevent.sleep(pause_after(turn.spent_s - paid_s))
            gevent.sleep(max(0.0, self._rest_until - time.monotonic()))
            self.flush()

    def flush(self) -> None:
        """Flush the lanes with news: at once where that is cheap; others get their turns."""
        if time.monotonic() < self._rest_until:
            self._grown.set()
            return
        turn = TimeSlice()
        paid_s = self._flush_all(turn)
        if pause_s := pause_after(turn.spent_s - paid_s):
            self._rest_until = time.monotonic() + pause_s
        if self.is_time_for_all():
            self._grown.set()

    def _flush_all(self, turn: TimeSlice, every_lane: bool = False) -> float:
        """Flush the lanes that `with_news` yields; return the time (s) that costly ones took."""
        paid_s = 0.0
        for lane in self.with_news(turn, every_lane):
            if pause_after(lane.cost_s) or lane.is_held_back():
                lane.flushing = True
                gevent.spawn(self._flush, lane)
            else:
                self._flush_at_once(lane, turn)
                if pause_after(lane.cost_s):
                    paid_s += lane.cost_s  # by its own pause, next time
        if self._behind:
            self._grown.set()
        return paid_s

    def with_news(self, turn: TimeSlice, every_lane: bool = False) -> Iterator[Lane]:
        """Yield the lanes to flush; others get their turns in between.

        A lane is passed over if no event since the last call is for its view. Its readers stay
        behind then, until a look at every lane, which comes before the log forgets their place.

        Args:
            turn: of the loop that calls.
            every_lane: look at every lane; with thousands of lanes that takes tens of ms.
        """
        news, behind, log = self._relay.news(), self._behind, self._relay.log
        self._behind = set()
        if every_lane:
            self._looked_at_all = time.monotonic(), log.head, log.text
            self._forget_the_empty()
        if every_lane or news.for_all:
            lanes = list(self._lanes.values())
        else:
            some = (self._by_subject.get(subject, {}) for subject in news.subjects)
            lanes = list(dict.fromkeys(chain(behind, *some)))
        for lane in lanes:
            turn.pass_on_if_over()
            if not (every_lane or news.concerns(lane.view) or lane in behind):
                continue
            if lane.flushing:
                lane.hurry()
            elif lane.has_before(log.head):
                yield lane
                if lane.has_before(log.head) and not lane.flushing:
                    self._behind.add(lane)

    def is_time_for_all(self) -> bool:
        """Tell whether every lane is to be looked at."""
        log = self._relay.log
        looked_at, head, text = self._looked_at_all
        events, size = log.head - head, log.text - text
        share = max(events / log.max_events, size / log.max_bytes)
        is_old = time.monotonic() >= looked_at + _LOOK_AT_ALL_S
        return is_old or size < 0 or share >= _LOOK_AT_ALL_SHARE

    def _flush_at_once(self, lane: Lane, turn: TimeSlice) -> None:
        lane.flushing = True
        try:
            lane.flush(turn)
        finally:
            lane.flushing = False

    def _flush(self, lane: Lane) -> None:
        """Flush a lane for as long as it has news, and let it be in proportion to the cost.

        Each lane by itself: one with many readers does not hold up another.
        """
        try:
            # Its readers may leave at any moment: then nothing is left to flush.
            while lane.has_before(self._relay.log.head):
                lane.hold_back()
                head = self._relay.log.head
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
            lane = self._lanes[key] = Lane(self._relay, view, chunked, pace_s, self._everyone)
            for subject in subjects_of(view):
                self._by_subject[subject][lane] = None
        return lane

    def _forget_the_empty(self) -> None:
        for key, lane in list(self._lanes.items()):
            if lane or lane.flushing:
                continue
            del self._lanes[key]
            for subject in subjects_of(lane.view):
                del self._by_subject[subject][lane]
                if not self._by_subject[subject]:
                    del self._by_subject[subject]
