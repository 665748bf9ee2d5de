"""Ends one event stream (`DELETE /weir/readers/{id}`), whichever worker gets the request.

Workers share a table of numbers in memory. A row belongs to the worker that has the stream, and a
column to the worker that got the request. The worker that got the request writes the number of the
stream's reader into this cell. The worker that has the stream checks its row several times a
second, resets the stream, and writes the result into the same cell.
"""

from __future__ import annotations

import enum
import mmap
import re
import time
from collections.abc import Callable

import gevent
from gevent.lock import BoundedSemaphore

from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers

_LOOK_S = 0.1
_PATIENCE_S = 3.0
_WORD = 8
_DONE, _UNKNOWN = 0, -1
_ID = re.compile(r"([0-9]{1,4})-([0-9a-f]{1,15})")


class ResetVerdict(enum.Enum):
    """The result of a request to end an event stream."""

    DONE = "done"
    UNKNOWN = "unknown"
    """No worker has a stream with this id."""
    SILENT = "silent"
    """The worker that has the stream does not answer in time."""


class Grid:
    """The table of numbers, in shared memory that the master process creates before it forks.

    Args:
        seats: how many workers there may be; a worker's seat is its number.
    """

    def __init__(self, seats: int) -> None:
        self._seats = seats
        self._words = memoryview(mmap.mmap(-1, seats * seats * _WORD)).cast("q")

    def __len__(self) -> int:
        return self._seats

    def write(self, asked: int, asking: int, number: int) -> None:
        """Write into the cell for requests of worker `asking` to worker `asked`."""
        self._words[asked * self._seats + asking] = number

    def read(self, asked: int, asking: int) -> int:
        """Return the cell for requests of worker `asking` to worker `asked`."""
        return self._words[asked * self._seats + asking]

    def row(self, asked: int) -> list[int]:
        """Return the cells for requests of all workers to worker `asked`."""
        return self._words[asked * self._seats : (asked + 1) * self._seats].tolist()


class Resets:
    """Ends streams of this worker for other workers, and asks other workers to end theirs.

    Args:
        grid: the table that all workers share.
        seat: the number of this worker.
        readers: the open streams of this worker.
        occupied: returns whether a worker with a given seat is running.
    """

    def __init__(
        self, grid: Grid, seat: int, readers: Readers, occupied: Callable[[int], bool]
    ) -> None:
        self._grid = grid
        self._seat = seat
        self._readers = readers
        self._occupied = occupied
        self._one_at_a_time = BoundedSemaphore()
        # Drop requests to the worker that had this seat before.
        for asking in range(len(grid)):
            grid.write(seat, asking, _DONE)

    def run(self) -> None:
        """Carry out the requests of other workers for ever; needs a greenlet of its own."""
        while True:
            gevent.sleep(_LOOK_S)
            self.look()

    def look(self) -> None:
        """Carry out the requests that other workers have written so far."""
        for asking, number in enumerate(self._grid.row(self._seat)):
            if number > 0:
                found = self._reset(number)
                self._grid.write(self._seat, asking, _DONE if found else _UNKNOWN)

    def reset(self, reader_id: str) -> ResetVerdict:
        """End the stream with this id, at any worker; wait at most 3 s for the result."""
        parsed = _ID.fullmatch(reader_id)
        if parsed is None or int(parsed[1]) >= len(self._grid):
            return ResetVerdict.UNKNOWN
        seat, number = int(parsed[1]), int(parsed[2], 16)
        if seat == self._seat:
            return ResetVerdict.DONE if self._reset(number) else ResetVerdict.UNKNOWN
        if not self._occupied(seat):
            return ResetVerdict.UNKNOWN
        if not self._one_at_a_time.acquire(timeout=_PATIENCE_S):
            return ResetVerdict.SILENT
        try:
            return self._ask(seat, number)
        finally:
            self._one_at_a_time.release()

    def _ask(self, seat: int, number: int) -> ResetVerdict:
        self._grid.write(seat, self._seat, number)
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            gevent.sleep(_LOOK_S / 2)
            answer = self._grid.read(seat, self._seat)
            if answer != number:
                return ResetVerdict.DONE if answer == _DONE else ResetVerdict.UNKNOWN
        self._grid.write(seat, self._seat, _DONE)
        return ResetVerdict.SILENT

    def _reset(self, number: int) -> bool:
        reader = self._readers.numbered(number)
        if reader is not None:
            reader.leave(Cause.RESET)
        return reader is not None
