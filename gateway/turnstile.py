"""Where those wait who have much to write, so that those who have little need not."""

from __future__ import annotations

import time

import gevent
from gevent.event import Event

_OPEN_S = 0.001
_SHUT_S = 0.001


class Turnstile:
    """Lets one after the other through, for half of the time at most.

    The socket of a reader that reads nothing takes megabytes before it takes no more. Some
    hundreds of those would keep the loop for as long as it takes to fill them all.
    """

    def __init__(self) -> None:
        self._last_passed = Event()
        self._last_passed.set()
        self._shuts_at = float("-inf")

    def pass_through(self) -> None:
        """Block until it is the caller's turn to write one piece.

        Each waits for the one before it: a semaphore would let some overtake others.
        """
        gevent.sleep(0)  # whoever waits comes before one who has just been through
        before, self._last_passed = self._last_passed, (passed := Event())
        try:
            before.wait()
            left_s = self._shuts_at + _SHUT_S - time.monotonic()
            if left_s > _SHUT_S:
                return
            if left_s > 0:
                gevent.sleep(left_s)
            self._shuts_at = time.monotonic() + _OPEN_S
        finally:
            passed.set()
