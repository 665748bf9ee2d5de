"""The latest report of each worker, in memory that all workers read (like Apache's scoreboard).

gunicorn's master creates this memory before it forks, with a slot for each worker, called its
seat. A worker writes into its own seat, and reads the seats of the others directly. So the report
of a worker that hangs can be read, and the counters of a killed worker are not lost.

A seat has two halves. A worker writes to the half that is not read, and then swaps the halves. So
if a worker is killed while it writes, its previous report stays.
"""

from __future__ import annotations

import mmap

_WORD = 8
_TURN, _OCCUPANT, _LENGTHS = 0, 1, 2  # positions at the beginning of a seat, in words of 8 bytes
_HEAD = 4 * _WORD
_TRIES = 3


class TooLong(ValueError):
    """The report is longer than the memory of a seat."""


class Scoreboard:
    """Reports of all workers in shared memory; pages that were never written take no memory.

    Args:
        seats: how many workers there may be.
        capacity: the most bytes of a report.
    """

    def __init__(self, seats: int, capacity: int = 128 * 1024) -> None:
        self._seats = seats
        self._capacity = capacity
        self._memory = mmap.mmap(-1, seats * (_HEAD + 2 * capacity))
        self._words = memoryview(self._memory).cast("q")

    def __len__(self) -> int:
        return self._seats

    def post(self, seat: int, occupant: int, data: bytes) -> None:
        """Replace the report of a seat.

        Args:
            seat: the number of the worker.
            occupant: the pid of the worker.
            data: the report.

        Raises:
            TooLong: `data` is longer than the capacity of a seat.
        """
        if len(data) > self._capacity:
            raise TooLong(
                f"the report has {len(data)} bytes; at most {self._capacity} are allowed"
            )
        word = self._word(seat)
        turn = self._words[word + _TURN] + 1
        begin = self._half(seat, turn)
        self._memory[begin : begin + len(data)] = data
        self._words[word + _LENGTHS + turn % 2] = len(data)
        self._words[word + _TURN] = turn
        # Written last, so that the report of an ended worker never counts as that of this worker.
        self._words[word + _OCCUPANT] = occupant

    def read(self, seat: int) -> bytes:
        """Return the latest report of a seat, empty if there is no report."""
        word = self._word(seat)
        for _ in range(_TRIES):
            turn = self._words[word + _TURN]
            if turn == 0:
                return b""
            begin = self._half(seat, turn)
            data = self._memory[begin : begin + self._words[word + _LENGTHS + turn % 2]]
            if self._words[word + _TURN] == turn:
                return data
        return b""

    def occupied(self, seat: int) -> bool:
        """Return whether the worker that has posted last at a seat is still running."""
        return self._words[self._word(seat) + _OCCUPANT] != 0

    def vacate(self, seat: int) -> None:
        """Note that the worker at a seat has ended; its report can still be read."""
        self._words[self._word(seat) + _OCCUPANT] = 0

    def _word(self, seat: int) -> int:
        return seat * (_HEAD + 2 * self._capacity) // _WORD

    def _half(self, seat: int, turn: int) -> int:
        return self._word(seat) * _WORD + _HEAD + turn % 2 * self._capacity
