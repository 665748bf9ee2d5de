"""Event loop lag: how late gevent's loop runs timers that are due, which delays every greenlet."""

from __future__ import annotations

import time

import gevent

from bus.process.heart import BEAT_S, Heart

_WINDOW_S = 2.0


class LoopLag:
    """Measures the lag of this worker's event loop, with a timer that is due every `BEAT_S`.

    Args:
        heart: measures each delay, and reports to the supervisor that the loop is not blocked.
    """

    def __init__(self, heart: Heart) -> None:
        self._heart = heart
        self._worst_s = 0.0
        self._worst_before_s = 0.0

    @property
    def seconds(self) -> float:
        """The longest delay (s) of a timer in the last two to four seconds."""
        return max(self._worst_s, self._worst_before_s)

    def run(self) -> None:
        """Measure for ever; needs a greenlet of its own."""
        self._heart.beat()  # so that the time before this call does not count as lag
        window_ends = 0.0
        while True:
            gevent.sleep(BEAT_S)
            self._heart.beat()
            now = time.monotonic()
            if now >= window_ends:
                self._worst_before_s, self._worst_s = self._worst_s, 0.0
                window_ends = now + _WINDOW_S
            self._worst_s = max(self._worst_s, self._heart.late_s)
