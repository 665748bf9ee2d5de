"""The work loop: saves text in flight, and says that the processor lives.

Both are done by one greenlet on purpose: a heartbeat that came from elsewhere would go on while
nothing else does.
"""

from __future__ import annotations

import logging
import sqlite3
import time

import gevent

from bus.publisher import Publisher
from processor.store.drafts import Drafts

log = logging.getLogger("weir.processor")

# A kill may cost 250 ms of text; what is left of that is for the write itself.
FLUSH_S = 0.1
HEARTBEAT_S = 1.0
SLOW_S = 5.0


class Pulse:
    """Beats until it is killed."""

    def __init__(self, drafts: Drafts, publisher: Publisher) -> None:
        self._drafts = drafts
        self._publisher = publisher
        self._flush_began = 0.0
        self._warned = False

    def run(self) -> None:
        """Flush every `FLUSH_S`, and send a heartbeat every `HEARTBEAT_S`."""
        next_heartbeat = time.monotonic()
        while True:
            self._flush()
            if time.monotonic() >= next_heartbeat:
                self._publisher.heartbeat()
                next_heartbeat += HEARTBEAT_S
            gevent.sleep(FLUSH_S)

    def _flush(self) -> None:
        """Begin a flush unless the last one still runs: a slow disk must not stop the beat."""
        if not self._drafts.is_flushing:
            self._flush_began = time.monotonic()
            gevent.spawn(self._write)
        elif time.monotonic() - self._flush_began > SLOW_S and not self._warned:
            self._warned = True
            log.warning("the store has not saved text in flight for %g s", SLOW_S)

    def _write(self) -> None:
        try:
            self._drafts.flush()
        except sqlite3.Error as error:
            if not self._warned:
                log.error("text in flight cannot be saved: %s", error)
            self._warned = True
        else:
            self._warned = False
