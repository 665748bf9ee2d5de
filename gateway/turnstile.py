"""Where readers wait that have much to write or to look up, so that all others need not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

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


class Gate:
    """Lets one after the other do what holds the loop, for half of the time at most.

    To find what a reader lacks takes up to 30 ms for a ledger that is full, and any number of
    clients may ask for all of it.
    """

    def __init__(self) -> None:
        self._turns = BoundedSemaphore(1)
        self._opens_at = float("-inf")

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Block until it is the caller's turn; what the block takes, others get after it."""
        with self._turns:
            if (left_s := self._opens_at - time.monotonic()) > 0:
                gevent.sleep(left_s)
            began = time.monotonic()
            try:
                yield
            finally:
                now = time.monotonic()
                self._opens_at = now + (now - began)
