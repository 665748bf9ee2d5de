"""The latest event streams of all workers that have ended, and why each has ended."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterable

import gevent
import msgspec
from msgspec import Struct

from gateway.monitor.observer import lag_at, reader_status
from gateway.monitor.scoreboard import Scoreboard, TooLong
from gateway.monitor.status import BEAT_S, ReaderStatus
from gateway.streams.evictions import Cause
from gateway.streams.reader import Reader
from gateway.streams.readers import Readers

log = logging.getLogger("weir.gateway")

MOST = 200


class Departure(Struct, frozen=True):
    """An event stream that has ended.

    Attributes:
        ended_ms: when the stream ended, ms since the Unix epoch.
        cause: why it ended, a value of `Cause`.
        reader: the stream's status at its end.
    """

    ended_ms: int
    cause: str
    reader: ReaderStatus


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Departure]).decode


class Departures:
    """The ended streams of this worker, and access to those of all workers.

    Each worker has a number, its seat. When a worker ends, its list stays in shared memory, and
    the next worker with the same seat continues the list.

    Args:
        board: shared memory, in which every worker posts its list.
        seat: the number of this worker.
        readers: the open streams of this worker.
        killed: the streams that were open when the previous worker with this seat was killed.
    """

    def __init__(
        self, board: Scoreboard, seat: int, readers: Readers, killed: Iterable[ReaderStatus] = ()
    ) -> None:
        self._board = board
        self._seat = seat
        self._readers = readers
        self._last = deque(self._at(seat), MOST)
        now_ms = time.time_ns() // 1_000_000
        self._last.extend(Departure(now_ms, Cause.KILLED.value, row) for row in killed)
        self._noted = bool(self._last)
        readers.on_end = self.note

    def note(self, reader: Reader) -> None:
        """Add a stream that has ended; does not block."""
        cause = reader.left or Cause.GONE
        lag = lag_at(self._readers.relay.log, reader.position)
        row = reader_status(self._seat, reader, lag)
        self._last.append(Departure(time.time_ns() // 1_000_000, cause.value, row))
        self._noted = True

    def run(self) -> None:
        """Publish the list of streams that have ended to all workers, each `BEAT_S`, for ever.

        Needs a greenlet of its own.
        """
        while True:
            gevent.sleep(BEAT_S)
            self.post()

    def post(self) -> None:
        """Post the list if it has changed, without old entries if it is too long."""
        if not self._noted:
            return
        self._noted = False
        last = list(self._last)
        while True:
            try:
                self._board.post(self._seat, os.getpid(), _encode(last))
            except TooLong:
                last = last[(len(last) + 1) // 2 :]
            else:
                return

    def last(self) -> list[Departure]:
        """Return the ended streams of all workers, the latest first."""
        self.post()
        found = [one for seat in range(len(self._board)) for one in self._at(seat)]
        return sorted(found, key=lambda one: -one.ended_ms)[:MOST]

    def _at(self, seat: int) -> list[Departure]:
        data = self._board.read(seat)
        try:
            return _decode(data) if data else []
        except msgspec.MsgspecError as error:
            # Before a reload, a worker of another weir version may have posted other fields.
            log.debug("the ended streams of worker %d cannot be decoded: %s", seat, error)
            return []
