"""When the lanes of a worker (groups of readers with the same filter) get the latest events."""

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
"""All lanes are looked at before new events fill more than this share of the log.

So no lane that has been skipped loses its position in the log.
"""


class Lanes:
    """All lanes of a worker; a lane is the readers with the same filter.

    The greenlet that receives from the bus calls `flush` itself after it has received everything.
    So an event goes from the bus to the sockets in one greenlet. A lane gets a greenlet of its own
    if flushing it takes long, or if its pace delays the flush.

    Args:
        relay: computes the bytes of the next events.
        everyone: counts what is sent to all readers of the worker.
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
        """Return the `count` readers with the oldest positions in the log, in any order."""
        ranks = chain.from_iterable(lane.ranks for lane in self._lanes.values())
        last = nsmallest(count, ranks, key=attrgetter("cursor.position"))
        return list(islice(chain.from_iterable(rank.readers for rank in last), count))

    def settle(self, reader: Reader) -> None:
        """Add a reader that has all events to the lane of its view; does not block.

        If the reader's view is about to change, its outlet first sends what the new view needs.
        """
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
        """Let `run` send the log's new events to the readers soon; does not block."""
        self._grown.set()

    def run(self) -> None:
        """Flush lanes (readers with the same filter) with new events, and regularly all, for ever.

        Needs a greenlet of its own.
        """
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
        """Write the latest events to the readers that they are for.

        Lanes (readers with the same filter) that are cheap are flushed here; each other lane gets
        a greenlet of its own. Other greenlets run after each time slice.
        """
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
        """Flush the lanes (readers with the same filter) that `with_news` yields.

        Return how long (s) lanes took that turned out to be expensive. The caller need not pause
        for this time: each of these lanes gets its own greenlet, with pauses, from now on.
        """
        paid_s = 0.0
        for lane in self.with_news(turn, every_lane):
            if pause_after(lane.cost_s) or lane.is_held_back():
                lane.flushing = True
                gevent.spawn(self._flush, lane)
            else:
                self._flush_at_once(lane, turn)
                if pause_after(lane.cost_s):
                    paid_s += lane.cost_s  # its own greenlet pauses from the next flush on
        if self._behind:
            self._grown.set()
        return paid_s

    def with_news(self, turn: TimeSlice, every_lane: bool = False) -> Iterator[Lane]:
        """Yield the lanes (readers with the same filter) for which there are new events.

        A lane is skipped if no event since the last call is for its view. Its readers keep their
        position until the next look at every lane, which comes before the log drops this position.

        Args:
            turn: the time slice of the caller; when it is over, other greenlets run.
            every_lane: look at every lane; for thousands of lanes this takes tens of ms.
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
        """Return whether to look at every lane, since the last look is long or many events ago."""
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
        """Flush a lane until its readers have all events, with pauses in proportion to the cost.

        Each lane has a greenlet of its own, so a lane with many readers delays no other lane.
        """
        try:
            # Checked anew each time, since the readers may leave at any moment.
            while lane.has_before(self._relay.log.head):
                lane.hold_back()
                head = self._relay.log.head
                while lane.has_before(head):
                    lane.flush(TimeSlice())
                    gevent.sleep(pause_after(lane.cost_s))
        finally:
            lane.flushing = False

    def _lane(self, view: View, chunked: bool, pace_s: float) -> Lane:
        """Return the lane for a view, a transfer encoding and a pace; create it if it is new."""
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
