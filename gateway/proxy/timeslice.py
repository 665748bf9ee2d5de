"""Letting other greenlets run: a fast peer at both ends never makes a loop wait by itself."""

from __future__ import annotations

import time

import gevent

_SLICE_S = 0.001


class TimeSlice:
    """The turn of one loop on the worker's thread."""

    def __init__(self) -> None:
        self._until = time.monotonic() + _SLICE_S

    def pass_on_if_over(self) -> None:
        """Let the others run if the turn is over."""
        if time.monotonic() >= self._until:
            gevent.sleep(0)
            self._until = time.monotonic() + _SLICE_S
