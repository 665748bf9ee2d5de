"""Ends event streams whose clients read nothing for too long (``--stall-timeout``)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator

import gevent

from bus.process.fairness import A_TURN_S, READERS_A_TURN
from gateway.streams.reader import Reader
from gateway.streams.readers import Readers

log = logging.getLogger("weir.gateway")

_CHECKS = 10
_MOST_EVERY_S = 1.0


class Shedding:
    """Checks all readers, a few at a time, in one greenlet: cheaper than a timer for each reader.

    Args:
        readers: the readers to check.
        timeout_s: for how long bytes may wait while the client accepts none. The stream ends at
            most two checks later.
    """

    def __init__(self, readers: Readers, timeout_s: float) -> None:
        self._readers = readers
        self._timeout_s = timeout_s
        self._every_s = min(_MOST_EVERY_S, timeout_s / _CHECKS)

    def run(self) -> None:
        """Check readers for ever; needs a greenlet of its own."""
        while True:
            began = time.monotonic()
            readers = list(self._that_may_stall(began - self._timeout_s / 2))
            pauses = math.ceil(len(readers) / READERS_A_TURN) or 1
            for number in range(pauses):
                due = began + self._every_s * (number + 1) / pauses
                gevent.sleep(max(due - time.monotonic(), A_TURN_S))
                for reader in readers[number * READERS_A_TURN :][:READERS_A_TURN]:
                    self._look_at(reader)

    def _look_at(self, reader: Reader) -> None:
        if reader.gone or reader.connection is None:
            return  # the stream has ended since this round of checks began
        reader.stalled_s, cause = reader.connection.stalled(time.monotonic())
        if reader.stalled_s >= self._timeout_s:
            log.warning(
                "reset the event stream of %s: its client has read nothing for %.1f s "
                "(--stall-timeout is %g s)",
                reader.client.address or "an unknown address",
                reader.stalled_s,
                self._timeout_s,
            )
            reader.leave(cause)

    def _that_may_stall(self, beaten_before: float) -> Iterator[Reader]:
        """Yield the readers for which bytes may wait, so that the others need no system call.

        A reader to which a greenlet writes is always included: the greenlet may hold bytes that
        the kernel has not taken. A reader for which only a heartbeat waits is left out until the
        heartbeat is old: usually `StreamConnection.owes_nothing` has checked it before, when the
        next heartbeat was due.

        Args:
            beaten_before: include readers whose heartbeat was written before this time
                (`time.monotonic()`).
        """
        for reader in self._readers:
            connection = reader.connection
            if connection is None:
                continue
            beaten_at = connection.beaten_at
            is_old = beaten_at is not None and beaten_at < beaten_before
            if connection.owes or reader.rank is None or is_old:
                yield reader
