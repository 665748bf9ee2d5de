"""Letting other greenlets run: a fast peer at both ends never makes a loop wait by itself."""

from __future__ import annotations

import time

from bus.slices import let_turn

_SLICE_S = 0.001


class TimeSlice:
    """The turns of one loop on the worker's thread."""

    def __init__(self) -> None:
        self._spent_s = 0.0
        self._since = time.monotonic()

    @property
    def spent_s(self) -> float:
        """How long all turns have taken so far, what others did in between left out."""
        return self._spent_s + time.monotonic() - self._since

    def pass_on_if_over(self) -> bool:
        """Let the others run if the turn is over; tell whether they have run."""
        now = time.monotonic()
        if now - self._since < _SLICE_S:
            return False
        self._spent_s += now - self._since
        let_turn()
        self._since = time.monotonic()
        return True
