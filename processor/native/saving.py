"""Saves the text of unfinished answers in the background, so that a slow disk blocks no turn."""

from __future__ import annotations

import logging

import gevent

from processor.store.database import SLOW_S
from processor.store.drafts import Drafts
from processor.store.failures import StoreFailed

log = logging.getLogger("weir.processor")


class Saving:
    """Writes the drafts (text of parts that still grow) to the store, one flush at a time."""

    def __init__(self, drafts: Drafts) -> None:
        self._drafts = drafts
        self._warned = False

    def begin(self) -> None:
        """Start a flush in the background, unless the last flush still runs; does not block."""
        if not self._drafts.are_pending:
            return
        if (flushing_s := self._drafts.flushing_s) is None:
            gevent.spawn(self._write)
        elif flushing_s > SLOW_S and not self._warned:
            self._warned = True
            log.warning("the store has not saved growing text for %g s", SLOW_S)

    def _write(self) -> None:
        try:
            self._drafts.flush()
        except StoreFailed as error:
            if not self._warned:
                log.error("growing text cannot be saved: %s", error)
            self._warned = True
        else:
            self._warned = False
