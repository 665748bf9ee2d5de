"""Maintains the database in the background: deletes, merges and indexes rows, shrinks the file."""

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
"""The pause after a slice of work, as a multiple of the time that the slice took."""
_LEAST_PAUSE_S = 0.005


class Chores:
    """Looks for maintenance work every second, and does it in slices, so that turns can write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self) -> None:
        """Do maintenance work as it comes up; never return."""
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
        """Run slices of a job until no work is left; return whether there was any work."""
        worked = False
        while True:
            began = time.monotonic()
            if not self._database.call(job):
                return worked
            worked = True
            gevent.sleep(max(_LEAST_PAUSE_S, (time.monotonic() - began) * _SHARE))
