"""Runs the upkeep of the store in the background."""

from __future__ import annotations

import logging
import time

import gevent

from processor.store import upkeep
from processor.store.database import Database
from processor.store.failures import StoreFailed

log = logging.getLogger("weir.processor")

_LOOK_S = 1.0
_SHARE = 1
"""After a slice follows a pause of this many times its length."""
_LEAST_PAUSE_S = 0.005


class Chores:
    """Looks for upkeep every second, and does it in slices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self) -> None:
        """Never return."""
        while True:
            try:
                self._do_all()
            except StoreFailed as error:
                log.warning("the store's upkeep waits: %s", error)
            gevent.sleep(_LOOK_S)

    def _do_all(self) -> None:
        if self._all_of(upkeep.purge) and self._database.call(upkeep.begin_merge):
            self._all_of(upkeep.merge)
        self._all_of(upkeep.index)
        if self._all_of(upkeep.shrink):
            self._database.truncate_journal()

    def _all_of(self, job: upkeep.Chore) -> bool:
        """Repeat a job until no work is left; return whether there was any."""
        worked = False
        while True:
            began = time.monotonic()
            if not self._database.call(job):
                return worked
            worked = True
            gevent.sleep(max(_LEAST_PAUSE_S, (time.monotonic() - began) * _SHARE))
