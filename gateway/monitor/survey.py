"""Collects the status of all workers, for `/weir/status`, `/weir/readers` and `/metrics`."""

from __future__ import annotations

import time

import gevent
from msgspec import Struct

from gateway.monitor.bulletin import Bulletin
from gateway.monitor.checkup import Checkup, Diagnosis
from gateway.monitor.status import Post
from gateway.streams.counts import Counts

_APART_S = 0.05
"""The shortest time between two surveys, since a survey takes 2 ms for each worker."""


class Survey(Struct, frozen=True, kw_only=True):
    """The status of all workers at one moment.

    Attributes:
        version: the version of weir.
        seat: the number of the worker that made the survey.
        at: the time of the survey (`time.monotonic()`).
        posts: the latest status of each running worker.
        counts: the sums of the counters of all workers, including workers that have ended.
        health: the result of the readiness checks.
    """

    version: str
    seat: int
    at: float
    posts: list[Post]
    counts: Counts
    health: Diagnosis

    def age_s(self, post: Post) -> float:
        """Return how old (s) the status of a worker was at the time of the survey."""
        return round(max(0.0, self.at - post.beat), 3)


class Surveyor:
    """Collects the status of all workers from shared memory, without requests to them.

    HTTP requests at nearly the same time share a survey. So surveys take a small part of the
    worker's time, however many clients ask.

    Args:
        bulletin: has the latest status of all workers.
        checkup: runs the readiness checks.
        version: the version of weir.
    """

    def __init__(self, bulletin: Bulletin, checkup: Checkup, version: str) -> None:
        self._bulletin = bulletin
        self._checkup = checkup
        self._version = version
        self._coming: gevent.Greenlet[[], Survey] | None = None
        self._began_at = 0.0

    def survey(self) -> Survey:
        """Return a survey that begins after this call; may block for `_APART_S`."""
        if self._coming is None:
            self._coming = gevent.spawn(self._look_in_time)
        survey: Survey = self._coming.get()
        return survey

    def _look_in_time(self) -> Survey:
        if (pause_s := self._began_at + _APART_S - time.monotonic()) > 0:
            gevent.sleep(pause_s)
        self._coming, self._began_at = None, time.monotonic()
        return self._look()

    def _look(self) -> Survey:
        """Collect this worker's present status, and the last reported status of the others."""
        bulletin = self._bulletin
        bulletin.post()
        return Survey(
            version=self._version,
            seat=bulletin.seat,
            at=time.monotonic(),
            posts=bulletin.workers(),
            counts=bulletin.counted(),
            health=self._checkup.diagnosis(),
        )
