"""Sends heartbeats on all event streams of a worker, from one queue of readers.

All streams have the same period, so the queue is always in order: a reader that was sent its
heartbeat goes to the end.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator

import gevent

from bus.events.catalogue import SERVER_HEARTBEAT
from bus.ids import Ids
from bus.process.fairness import TimeSlice
from gateway.relay.frames import server_frame
from gateway.relay.mark import event_id
from gateway.streams.lane import Rank
from gateway.streams.reader import Reader

_LOOK_S = 0.1


class Heartbeats:
    """Sends heartbeats to readers that have all events and wait for the next.

    A reader to which a greenlet is writing gets no heartbeat: the written bytes show that the
    stream is alive.

    Args:
        period_s: the time between two heartbeats of one stream.
        ids: makes the ids of the heartbeat events.
    """

    def __init__(self, period_s: float, ids: Ids) -> None:
        self._period_s = period_s
        self._ids = ids
        self._due: OrderedDict[Reader, float] = OrderedDict()

    def add(self, reader: Reader) -> None:
        """Send heartbeats to a reader from now on."""
        self._due[reader] = time.monotonic() + self._period_s

    def discard(self, reader: Reader) -> None:
        """Send no more heartbeats to a reader."""
        self._due.pop(reader, None)

    def run(self) -> None:
        """Send heartbeats for ever; needs a greenlet of its own."""
        while True:
            gevent.sleep(min(_LOOK_S, self._period_s / 4))
            self.beat(time.monotonic())

    def beat(self, now: float) -> None:
        """Send the heartbeats that are due at `now` (`time.monotonic()`)."""
        turn = TimeSlice()
        frames: dict[tuple[Rank, bool], bytes] = {}
        for reader in self._take_due(now):
            if reader.rank is not None and reader.outlet is not None:
                kind = reader.rank, reader.placed
                if kind not in frames:
                    frames[kind] = self._frame(reader)
                reader.outlet.beat(frames[kind], now)
            if turn.pass_on_if_over():
                frames.clear()  # event ids in the frames may be out of date: others have run

    def _take_due(self, now: float) -> Iterator[Reader]:
        """Yield the readers whose heartbeat is due, and set when the next is due."""
        while self._due:
            reader, due_at = next(iter(self._due.items()))
            if due_at > now:
                return
            self._due[reader] = max(due_at + self._period_s, now)
            self._due.move_to_end(reader)
            yield reader

    def _frame(self, reader: Reader) -> bytes:
        place = event_id(reader.cursor.marks, reader.view) if reader.placed else ""
        evt_id = self._ids.ascending("evt")
        return server_frame(SERVER_HEARTBEAT, evt_id, reader.view.endpoint, place)
