"""Event loop lag: how late the loop runs work that is due, which delays every greenlet."""

from __future__ import annotations

import time

import gevent

from bus.process.heart import BEAT_S, Heart

_WINDOW_S = 2.0


class LoopLag:
    """Measures the lag with a timer that is due ten times a second.

    Args:
        heart: of this loop, with a period of `BEAT_S`; it reports to the service manager.
    """

    def __init__(self, heart: Heart) -> None:
        self._heart = heart
        self._worst_s = 0.0
        self._worst_before_s = 0.0

    @property
    def seconds(self) -> float:
        """The longest delay of the last two to four seconds."""
        return max(self._worst_s, self._worst_before_s)

    def run(self) -> None:
        """Measure for ever, in a greenlet of its own."""
        self._heart.beat()  # the time before the loop began is no lag
        window_ends = 0.0
        while True:
            gevent.sleep(BEAT_S)
            self._heart.beat()
            now = time.monotonic()
            if now >= window_ends:
                self._worst_before_s, self._worst_s = self._worst_s, 0.0
                window_ends = now + _WINDOW_S
            self._worst_s = max(self._worst_s, self._heart.late_s)
