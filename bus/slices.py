"""How long one greenlet may hold the loop of a process while others wait for it."""

from __future__ import annotations

import time

import gevent

# More than none: greenlets take turns without it, but the loop does not look at its sockets.
A_TURN_S = 1e-6


def let_turn() -> None:
    """Let the loop look at its sockets and timers, and run other greenlets."""
    gevent.sleep(A_TURN_S)


class Slice:
    """Counts from when the loop last turned: a greenlet that has waited has let it turn.

    Args:
        length_s: how long a greenlet may hold the loop.
    """

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._loop_now = gevent.get_hub().loop.now
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._turn, self._until = self._loop_now(), time.monotonic() + self._length_s

    @property
    def is_over(self) -> bool:
        """Whether it is time to let the loop turn, or other greenlets run at least."""
        turn, now = self._loop_now(), time.monotonic()
        if turn != self._turn:
            self._turn, self._until = turn, now + self._length_s
        return now >= self._until

    def let_turn(self) -> None:
        """Let the loop look at its sockets and timers, and run other greenlets."""
        let_turn()
