"""Heartbeats of all streams of a worker, by one clock.

Each stream has its own moment, and all have the same period. So one queue is in order by itself: a
reader that has had its heartbeat goes to the end. A reader that leaves is taken out at once.
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
    """Says heartbeats to readers that wait at the head of the log.

    Readers that are being written to need none.

    Args:
        period_s: of one stream.
        ids: makes the ids of the events.
    """

    def __init__(self, period_s: float, ids: Ids) -> None:
        self._period_s = period_s
        self._ids = ids
        self._due: OrderedDict[Reader, float] = OrderedDict()

    def add(self, reader: Reader) -> None:
        """Have a reader get heartbeats until it is discarded."""
        self._due[reader] = time.monotonic() + self._period_s

    def discard(self, reader: Reader) -> None:
        """Forget a reader."""
        self._due.pop(reader, None)

    def run(self) -> None:
        """Say them for ever; a greenlet of its own."""
        while True:
            gevent.sleep(min(_LOOK_S, self._period_s / 4))
            self.beat(time.monotonic())

    def beat(self, now: float) -> None:
        """Say those that are due."""
        turn = TimeSlice()
        frames: dict[tuple[Rank, bool], bytes] = {}
        for reader in self._take_due(now):
            if reader.rank is not None and reader.outlet is not None:
                kind = reader.rank, reader.placed
                if kind not in frames:
                    frames[kind] = self._frame(reader)
                reader.outlet.beat(frames[kind], now)
            if turn.pass_on_if_over():
                frames.clear()  # ranks may have moved on

    def _take_due(self, now: float) -> Iterator[Reader]:
        """Yield readers that are due; each is due again a period later."""
        while self._due:
            reader, due_at = next(iter(self._due.items()))
            if due_at > now:
                return
            self._due[reader] = max(due_at + self._period_s, now)
            self._due.move_to_end(reader)
            yield reader

    def _frame(self, reader: Reader) -> bytes:
        place = event_id(reader.cursor.marks) if reader.placed else ""
        evt_id = self._ids.ascending("evt")
        return server_frame(SERVER_HEARTBEAT, evt_id, reader.view.endpoint, place)
