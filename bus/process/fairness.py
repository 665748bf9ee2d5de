"""How the greenlets of a process share its loop, and for how long each may run.

Theory of operation
===================

A process has one thread. A greenlet that never waits keeps the loop from all others, and a fast
peer at both ends of a connection never makes it wait. So work that may take long gives up
the loop in one of these ways. All lengths stand in this file.

1. Work in a row has a `TimeSlice`. When that is over, the work lets the loop turn, and goes on.
2. Work that comes again and again has a share of the time. It pauses in proportion to what it
   cost (`pause_after`), or it waits in a row with others of its kind, which get half of the time
   together (`Turnstile` for many short pieces, `Gate` for few long ones).
3. Work that must keep step with other work counts instead of looking at the clock: a reader that
   lags takes as many steps in a turn as ingest adds (`STEPS_A_TURN`), or it would lag for ever.

`gevent.sleep(0)` lets other greenlets run, but the loop looks at its sockets and timers once in
fifty such turns only. It serves where others of the process are meant; elsewhere `let_turn` does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

# The shortest time that is more than none: see above.
A_TURN_S = 1e-6

SLICE_S = 0.001
"""For all work that readers and clients wait for."""
TURN_SLICE_S = 0.002
"""For the words of a model or an agent, which are published in batches, one a turn of the loop."""
INGEST_SLICE_S = 0.003
"""For what comes from the bus; each cut of the log ends it as well."""
LOOKUP_SLICE_S = 0.005
"""For a look at all sessions, which is rare."""
READ_SLICE_S = 0.01
"""For reads from a server; the reading code has its own slice for its work on each piece."""

STEPS_A_TURN = 2
COMMANDS_A_TURN = 16
"""How many commands begin before others run; each then runs in a greenlet of its own."""
READERS_A_TURN = 16
"""How many readers are looked at for a stall: that takes some tenths of a millisecond."""

_CHEAP_S = 0.001
_PAUSE_PER_COST = 2.0
_MAX_PAUSE_S = 0.05
_OPEN_S = 0.001
_SHUT_S = 0.001


def let_turn() -> None:
    """Let the loop look at its sockets and timers, and run other greenlets."""
    gevent.sleep(A_TURN_S)


def pause_after(cost_s: float) -> float:
    """Return how long to wait (s) before work that cost `cost_s` is done again.

    A pause is a maximum age and never a debounce: a steady trickle does not hold itself back.
    """
    if cost_s < _CHEAP_S:
        return 0.0
    return min(cost_s * _PAUSE_PER_COST, _MAX_PAUSE_S)


class TimeSlice:
    """How long one greenlet may hold the loop; it begins anew when the greenlet has waited.

    Args:
        length_s: of the slice.
    """

    def __init__(self, length_s: float = SLICE_S) -> None:
        self._length_s = length_s
        # Not `loop.now`: each timer that is started moves that, though nothing else has run.
        self._loop = gevent.get_hub().loop
        self._spent_s = 0.0
        self._turn, self._since, self._until = 0, 0.0, 0.0
        self._begin()

    @property
    def is_over(self) -> bool:
        """Whether it is time to let the loop turn, or other greenlets run at least."""
        turn, now = self._loop.iteration, time.monotonic()
        if turn != self._turn:
            self._turn, self._until = turn, now + self._length_s
        return now >= self._until

    @property
    def spent_s(self) -> float:
        """How long all turns have taken, what others did in `pass_on_if_over` left out."""
        return self._spent_s + time.monotonic() - self._since

    def pass_on_if_over(self) -> bool:
        """Let the loop turn if the slice is over; tell whether it was."""
        if not self.is_over:
            return False
        self._spent_s = self.spent_s
        let_turn()
        self._begin()
        return True

    def _begin(self) -> None:
        self._turn, self._since = self._loop.iteration, time.monotonic()
        self._until = self._since + self._length_s


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
        gevent.sleep(0)  # greenlets that wait come before a greenlet that has just had its turn
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
