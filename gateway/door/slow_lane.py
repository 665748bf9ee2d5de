"""Where clients wait that ask for more of the loop than others do."""

from __future__ import annotations

import gevent
from gevent.lock import BoundedSemaphore

from gateway.proxy.failures import Refusal

PIPELINED_S = CROWDED_S = 0.005
MANY_LINES = 200
LINE_S = 10e-6
"""What a header costs by the time it has reached the upstream, twice."""
_MOST_WAIT = 64
_GATHERS_A_SECOND = 500
_GATHER_S, _LONGEST_GATHER_S = 0.05, 0.25


class SlowLane:
    """Lets one request after the other through, each after a pause.

    A head of 13,000 headers keeps the loop for 70 ms, 64 KB of 1-byte chunks keep it for 25 ms,
    and a client that sends its requests in one go never waits for an answer. Pauses leave the
    better part of the time to all others, however many such clients there are.
    """

    def __init__(self) -> None:
        self._next = BoundedSemaphore(1)
        self._waiting = self._gathering = 0

    def pass_through(self, pause_s: float) -> None:
        """Block until it is the caller's turn, and for `pause_s` more.

        Raises:
            Refusal: too many wait already.
        """
        if self._waiting >= _MOST_WAIT:
            raise Refusal(
                503, "too many requests with very many headers or chunks, or sent in one go"
            )
        self._waiting += 1
        try:
            with self._next:
                gevent.sleep(pause_s)
        finally:
            self._waiting -= 1

    def gather(self) -> None:
        """Block while more comes from a client that sends in very small pieces.

        A receive costs the same for 1 byte as for thousands. The pause grows with the number of
        such clients: some hundred of them share `_GATHERS_A_SECOND` receives.
        """
        self._gathering += 1
        try:
            pause_s = max(self._gathering / _GATHERS_A_SECOND, _GATHER_S)
            gevent.sleep(min(pause_s, _LONGEST_GATHER_S))
        finally:
            self._gathering -= 1
