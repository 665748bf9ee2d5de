"""Letting go of readers that take nothing."""

from __future__ import annotations

import logging
import math
import time

import gevent

from gateway.reader import Reader
from gateway.readers import Readers

log = logging.getLogger("weir.gateway")

_CHECKS = 10
_MOST_EVERY_S = 1.0
# Some tenths of a millisecond, so that nobody who reads has to wait for it.
_LOOKED_AT_ONCE = 16
_A_TURN_S = 1e-6  # more than none, or the loop would not look at its sockets


class Shedding:
    """Looks at all readers in turn, a few at a time: one greenlet, not a timer for each.

    Args:
        readers: whom to look at.
        timeout_s: how long a reader may accept no byte of what waits for it. It is let go at
            most two checks later.
    """

    def __init__(self, readers: Readers, timeout_s: float) -> None:
        self._readers = readers
        self._timeout_s = timeout_s
        self._every_s = min(_MOST_EVERY_S, timeout_s / _CHECKS)

    def run(self) -> None:
        """Look for ever; a greenlet of its own."""
        while True:
            readers, began = list(filter(_may_stall, self._readers)), time.monotonic()
            pauses = math.ceil(len(readers) / _LOOKED_AT_ONCE) or 1
            for number in range(pauses):
                due = began + self._every_s * (number + 1) / pauses
                gevent.sleep(max(due - time.monotonic(), _A_TURN_S))
                for reader in readers[number * _LOOKED_AT_ONCE :][:_LOOKED_AT_ONCE]:
                    self._look_at(reader)

    def _look_at(self, reader: Reader) -> None:
        if reader.gone or reader.connection is None:
            return  # it has ended in the middle of a round
        reader.stalled_s, cause = reader.connection.stalled(time.monotonic())
        if reader.stalled_s >= self._timeout_s:
            log.warning("a reader has accepted nothing for %.1f s, and is reset", reader.stalled_s)
            reader.leave(cause)


def _may_stall(reader: Reader) -> bool:
    """Tell whether something may wait for a reader: it costs a call to the kernel to know more.

    A greenlet that writes may have more to write than the kernel knows of.
    """
    if reader.connection is None:
        return False
    return reader.rank is None or reader.connection.owes
