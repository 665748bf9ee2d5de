"""A queue for requests that would take much of the event loop's time from other clients."""

from __future__ import annotations

import time

import gevent
from gevent.lock import BoundedSemaphore

from gateway.proxy.failures import Refusal

PIPELINED_S = CROWDED_S = 0.005
MANY_LINES = 200
LINE_S = 10e-6
"""The pause for each header of a long head: twice the CPU time that a header takes in all."""
_MOST_WAIT = 64
_GATHERS_A_SECOND = 500
_GATHER_S, _LONGEST_GATHER_S = 0.05, 2.0


class SlowLane:
    """Lets requests through one after another, each after a pause.

    A head of 2,000 headers blocks the event loop for 11 ms, 64 KB of 1-byte chunks for 25 ms, and
    a client that sends its requests without waiting for answers never pauses. The pauses leave
    most of the time to all other clients, however many such clients there are.
    """

    def __init__(self) -> None:
        self._next = BoundedSemaphore(1)
        self._waiting = 0
        self._next_receive_at = 0.0

    def pass_through(self, pause_s: float) -> None:
        """Block until all earlier callers are through, and for `pause_s` more.

        Raises:
            Refusal: too many callers are waiting already.
        """
        if self._waiting >= _MOST_WAIT:
            raise Refusal(
                503,
                "weir is busy with requests that are sent without waiting for an answer, or that "
                "have very many headers or small chunks; try again in a second",
            )
        self._waiting += 1
        try:
            with self._next:
                gevent.sleep(pause_s)
        finally:
            self._waiting -= 1

    def gather(self) -> None:
        """Block before the next receive from a client that sends very small pieces.

        A receive costs the same for 1 byte as for thousands, so more bytes shall come first. All
        such clients together get `_GATHERS_A_SECOND` receives a second, evenly spread: thousands
        of receives at the same time would block the event loop.
        """
        now = time.monotonic()
        next_at = max(self._next_receive_at + 1 / _GATHERS_A_SECOND, now + _GATHER_S)
        self._next_receive_at = min(next_at, now + _LONGEST_GATHER_S)
        gevent.sleep(self._next_receive_at - now)
