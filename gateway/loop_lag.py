"""How late the event loop comes to what is due: what every greenlet of the worker waits."""

from __future__ import annotations

import time

import gevent

_EVERY_S = 0.1
_WINDOW_S = 2.0


class LoopLag:
    """Measures by a timer that should ring ten times a second."""

    def __init__(self) -> None:
        self._worst_s = 0.0
        self._worst_before_s = 0.0

    @property
    def seconds(self) -> float:
        """The longest delay of the last two to four seconds."""
        return max(self._worst_s, self._worst_before_s)

    def run(self) -> None:
        """Measure for ever; a greenlet of its own."""
        window_ends = 0.0
        while True:
            due = time.monotonic() + _EVERY_S
            gevent.sleep(_EVERY_S)
            now = time.monotonic()
            if now >= window_ends:
                self._worst_before_s, self._worst_s = self._worst_s, 0.0
                window_ends = now + _WINDOW_S
            self._worst_s = max(self._worst_s, now - due)
