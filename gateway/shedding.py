"""Letting go of readers that take nothing."""

from __future__ import annotations

import logging
import time

import gevent

from gateway.reader import Reader
from gateway.readers import Readers

log = logging.getLogger("weir.gateway")

_CHECKS = 10
_MOST_EVERY_S = 1.0
_LOOKED_AT_ONCE = 64


class Shedding:
    """Looks at all readers in turn: one greenlet, not a timer for each.

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
            gevent.sleep(self._every_s)
            for number, reader in enumerate(list(self._readers), start=1):
                self._look_at(reader)
                if number % _LOOKED_AT_ONCE == 0:
                    gevent.sleep(0)

    def _look_at(self, reader: Reader) -> None:
        if reader.gone or reader.connection is None:
            return
        reader.stalled_s, cause = reader.connection.stalled(time.monotonic())
        if reader.stalled_s >= self._timeout_s:
            log.warning("a reader has accepted nothing for %.1f s, and is reset", reader.stalled_s)
            reader.leave(cause)
