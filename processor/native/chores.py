"""Carries out the upkeep of the store in the background, so that nobody waits for it."""

from __future__ import annotations

import logging
import time

import gevent

from processor.store import upkeep
from processor.store.database import Database
from processor.store.failures import StoreFailed

log = logging.getLogger("weir.processor")

_LOOK_S = 1.0
_SHARE = 3
"""A slice is followed by a pause of so many times what the slice took."""
_LEAST_PAUSE_S = 0.005


class Chores:
    """Looks for upkeep every second, and does what there is in slices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self) -> None:
        """Never return."""
        while True:
            try:
                for job in (upkeep.purge, upkeep.index, upkeep.shrink):
                    self._all_of(job)
            except StoreFailed as error:
                log.warning("the store's upkeep waits: %s", error)
            gevent.sleep(_LOOK_S)

    def _all_of(self, job: upkeep.Chore) -> None:
        worked = False
        while True:
            began = time.monotonic()
            if not self._database.call(job):
                break
            worked = True
            gevent.sleep(max(_LEAST_PAUSE_S, (time.monotonic() - began) * _SHARE))
        if worked and job is upkeep.shrink:
            self._database.truncate_journal()
