"""The streams that ended last, of all workers, and why they ended."""

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
    """A stream that is over.

    Attributes:
        ended_ms: when it ended, ms since the Unix epoch.
        cause: why, as in `Cause`.
        reader: the stream as it was at its end.
    """

    ended_ms: int
    cause: str
    reader: ReaderStatus


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Departure]).decode


class Departures:
    """One worker's list, and the lists of all workers.

    A list stays on its seat when its worker ends; the next worker of that seat goes on with it.

    Args:
        board: where every worker posts its list.
        seat: of this worker.
        readers: of this worker.
        killed: readers of the worker before on this seat, that ended with it.
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
        """Note that a stream has ended; does not block."""
        cause = reader.left or Cause.GONE
        lag = lag_at(self._readers.relay.log, reader.position)
        row = reader_status(self._seat, reader, lag)
        self._last.append(Departure(time.time_ns() // 1_000_000, cause.value, row))
        self._noted = True

    def run(self) -> None:
        """Post for ever; a greenlet of its own."""
        while True:
            gevent.sleep(BEAT_S)
            self.post()

    def post(self) -> None:
        """Post the list, if it has changed; the oldest are left out where there is no room."""
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
        """Return the departures of all workers, the latest first."""
        self.post()
        found = [one for seat in range(len(self._board)) for one in self._at(seat)]
        return sorted(found, key=lambda one: -one.ended_ms)[:MOST]

    def _at(self, seat: int) -> list[Departure]:
        data = self._board.read(seat)
        try:
            return _decode(data) if data else []
        except msgspec.MsgspecError as error:
            # A worker of another version, before a reload, may have posted other fields.
            log.debug("the departures of seat %d cannot be read: %s", seat, error)
            return []
