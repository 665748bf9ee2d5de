"""A queue for clients that cost the loop more time than others."""

from __future__ import annotations

import time

import gevent
from gevent.lock import BoundedSemaphore

from gateway.proxy.failures import Refusal

PIPELINED_S = CROWDED_S = 0.005
MANY_LINES = 200
LINE_S = 10e-6
"""Twice the time that a header costs on its whole way to the upstream."""
_MOST_WAIT = 64
_GATHERS_A_SECOND = 500
_GATHER_S, _LONGEST_GATHER_S = 0.05, 2.0


class SlowLane:
    """Lets requests through one after another, each after a pause.

    A head of 2,000 headers takes 11 ms of the loop, 64 KB of 1-byte chunks take 25 ms, and a
    client that sends its requests without waiting for answers never pauses. The pauses leave most
    of the time to all others, however many such clients there are.
    """

    def __init__(self) -> None:
        self._next = BoundedSemaphore(1)
        self._waiting = 0
        self._next_receive_at = 0.0

    def pass_through(self, pause_s: float) -> None:
        """Block until it is the caller's turn, and for `pause_s` more.

        Raises:
            Refusal: too many callers are waiting already.
        """
        if self._waiting >= _MOST_WAIT:
            raise Refusal(
                503,
                "too many requests are pipelined, or have very many headers or chunks; try again",
            )
        self._waiting += 1
        try:
            with self._next:
                gevent.sleep(pause_s)
        finally:
            self._waiting -= 1

    def gather(self) -> None:
        """Block while more bytes come from a client that sends very small pieces.

        A receive costs the same for 1 byte as for thousands. All such clients share
        `_GATHERS_A_SECOND` receives, each at a time of its own: if thousands woke up at the same
        time, all their receives would block the loop.
        """
        now = time.monotonic()
        next_at = max(self._next_receive_at + 1 / _GATHERS_A_SECOND, now + _GATHER_S)
        self._next_receive_at = min(next_at, now + _LONGEST_GATHER_S)
        gevent.sleep(self._next_receive_at - now)
