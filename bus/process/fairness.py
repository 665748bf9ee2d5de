"""How the greenlets of a process share its event loop, and for how long each may run.

Theory of operation
===================

A process has one thread. A greenlet that never waits keeps the loop from all others, and with a
fast peer at both ends of a connection a greenlet never has to wait. So work that may take long
gives up the loop in one of these ways. All durations are in this file.

1. Continuous work has a `TimeSlice`. When the slice is over, the work lets the loop turn, and
   continues.
2. Repeated work gets a share of the time. It pauses in proportion to its cost (`pause_after`). Or
   all work of its kind waits in one queue, which gets half of the time (`Turnstile` for many short
   pieces, `Gate` for a few long ones).
3. Work that must keep step with other work counts steps instead of looking at the clock: a reader
   that lags takes as many steps in a turn as ingest adds (`STEPS_A_TURN`), or it would lag for
   ever.

`gevent.sleep(0)` lets other greenlets run, but the loop polls its sockets and timers only once in
fifty such turns. So `gevent.sleep(0)` is used if only other greenlets need the loop, and
`let_turn` if sockets or timers do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

# The shortest sleep that makes the loop poll; `gevent.sleep(0)` does not, see above.
A_TURN_S = 1e-6

SLICE_S = 0.001
"""How long (s) work may run that readers and clients wait for, before others run."""
TURN_SLICE_S = 0.002
"""The slice for text of a model or an agent: each slice is published as one batch."""
INGEST_SLICE_S = 0.003
"""The slice for receiving events from the bus; a full segment of the log ends it as well."""
LOOKUP_SLICE_S = 0.005
"""The slice for a search through all sessions; long, since such a search is rare."""
READ_SLICE_S = 0.01
"""The slice for reading from a server; the code that handles the bytes has its own slice."""

STEPS_A_TURN = 2
COMMANDS_A_TURN = 16
"""How many commands are started before others run; each then runs in a greenlet of its own."""
READERS_A_TURN = 16
"""How many readers are checked for a stall in a turn: this takes some tenths of a millisecond."""

_CHEAP_S = 0.001
_PAUSE_PER_COST = 2.0
_MAX_PAUSE_S = 0.05
_OPEN_S = 0.001
_SHUT_S = 0.001


def let_turn() -> None:
    """Let the loop look at its sockets and timers, and run other greenlets."""
    gevent.sleep(A_TURN_S)


def pause_after(cost_s: float) -> float:
    """Return how long to wait (s) before repeating work that took `cost_s`.

    The pause begins when the work ends and is not extended by new events: it is a maximum delay,
    never a debounce.
    """
    if cost_s < _CHEAP_S:
        return 0.0
    return min(cost_s * _PAUSE_PER_COST, _MAX_PAUSE_S)


class TimeSlice:
    """Measures how long a greenlet runs without a pause, so that it lets others run in time.

    Args:
        length_s: of the slice.
    """

    def __init__(self, length_s: float = SLICE_S) -> None:
        self._length_s = length_s
        # Not `loop.now`: starting a timer advances it, though no other greenlet has run.
        self._loop = gevent.get_hub().loop
        self._spent_s = 0.0
        self._turn, self._since, self._until = 0, 0.0, 0.0
        self._begin()

    @property
    def is_over(self) -> bool:
        """Whether the greenlet should let the loop turn, or at least let other greenlets run."""
        turn, now = self._loop.iteration, time.monotonic()
        if turn != self._turn:
            self._turn, self._until = turn, now + self._length_s
        return now >= self._until

    @property
    def spent_s(self) -> float:
        """How long (s) all slices took, without the time of others in `pass_on_if_over`."""
        return self._spent_s + time.monotonic() - self._since

    def pass_on_if_over(self) -> bool:
        """Let the loop turn if the slice is over; return whether it was."""
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
    """Lets greenlets through one after the other, for at most half of the time.

    A reader that reads nothing has a socket buffer that takes megabytes before it is full. Without
    the turnstile, a few hundred of these would block the loop until all buffers are full.
    """

    def __init__(self) -> None:
        self._last_passed = Event()
        self._last_passed.set()
        self._shuts_at = float("-inf")

    def pass_through(self) -> None:
        """Block until it is the caller's turn to write one piece.

        Each caller waits for the caller before it: with a semaphore, some could overtake others.
        """
        gevent.sleep(0)  # waiting greenlets run before a greenlet that has just had its turn
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
    """Runs long work of several greenlets one after the other, for at most half of the time.

    Finding what a reader lacks takes up to 30 ms in a full ledger, and any number of clients may
    request this at once.
    """

    def __init__(self) -> None:
        self._turns = BoundedSemaphore(1)
        self._opens_at = float("-inf")

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Block until it is the caller's turn; afterwards pause for as long as the turn took."""
        with self._turns:
            if (left_s := self._opens_at - time.monotonic()) > 0:
                gevent.sleep(left_s)
            began = time.monotonic()
            try:
                yield
            finally:
                now = time.monotonic()
                self._opens_at = now + (now - began)
