"""The last report of each worker, in memory that all workers read (Apache's scoreboard).

A piece of memory that gunicorn's master makes before it forks, with a seat for each worker. A
worker posts to its own seat, and reads the others' without asking: the last report of a worker
that hangs can be read, and the counts of a killed worker are not lost.

A seat has two halves. A worker writes to the half that is not read, and then swaps the halves,
so that a worker killed while it writes leaves what it had posted before.
"""

from __future__ import annotations

import mmap

_WORD = 8
_TURN, _OCCUPANT, _LENGTHS = 0, 1, 2  # in words from the beginning of a seat
_HEAD = 4 * _WORD
_TRIES = 3


class TooLong(ValueError):
    """More than a seat holds."""


class Scoreboard:
    """Seats in shared memory; pages that were never written take no memory.

    Args:
        seats: how many there are.
        capacity: bytes that one holds.
    """

    def __init__(self, seats: int, capacity: int = 128 * 1024) -> None:
        self._seats = seats
        self._capacity = capacity
        self._memory = mmap.mmap(-1, seats * (_HEAD + 2 * capacity))
        self._words = memoryview(self._memory).cast("q")

    def __len__(self) -> int:
        return self._seats

    def post(self, seat: int, occupant: int, data: bytes) -> None:
        """Say `data` in the name of process `occupant`, in place of what was said there before.

        Raises:
            TooLong: the seat does not hold so much.
        """
        if len(data) > self._capacity:
            raise TooLong(f"{len(data)} bytes; a seat holds {self._capacity}")
        word = self._word(seat)
        turn = self._words[word + _TURN] + 1
        begin = self._half(seat, turn)
        self._memory[begin : begin + len(data)] = data
        self._words[word + _LENGTHS + turn % 2] = len(data)
        self._words[word + _TURN] = turn
        # Last, so that no worker is seen there with the report of the worker before it.
        self._words[word + _OCCUPANT] = occupant

    def read(self, seat: int) -> bytes:
        """Return what was posted last, empty if nothing was."""
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
        """Tell whether the worker that posted last still sits there."""
        return self._words[self._word(seat) + _OCCUPANT] != 0

    def vacate(self, seat: int) -> None:
        """Note that its worker is gone; what it said stays."""
        self._words[self._word(seat) + _OCCUPANT] = 0

    def _word(self, seat: int) -> int:
        return seat * (_HEAD + 2 * self._capacity) // _WORD

    def _half(self, seat: int, turn: int) -> int:
        return self._word(seat) * _WORD + _HEAD + turn % 2 * self._capacity
