"""The state of all workers at one moment, for `/weir/status` and `/metrics`."""

from __future__ import annotations

import time

import gevent
from msgspec import Struct

from gateway.monitor.bulletin import Bulletin
from gateway.monitor.checkup import Checkup, Diagnosis
from gateway.monitor.status import Post
from gateway.streams.counts import Counts

_APART_S = 0.05
"""The shortest time between two surveys. A survey takes 2 ms for each worker."""


class Survey(Struct, frozen=True, kw_only=True):
    """The state at one moment.

    Attributes:
        version: of weir.
        seat: of the worker that made the survey.
        at: `time.monotonic()`.
        posts: of the living workers.
        counts: of all workers, including ended ones.
        health: the result of a checkup.
    """

    version: str
    seat: int
    at: float
    posts: list[Post]
    counts: Counts
    health: Diagnosis

    def age_s(self, post: Post) -> float:
        """Return the age (s) of a worker's post."""
        return round(max(0.0, self.at - post.beat), 3)


class Surveyor:
    """Makes surveys of all workers from their posts, without requests.

    Requests at nearly the same time share a survey. So surveys take a small part of the worker's
    time, however many clients ask.

    Args:
        bulletin: has the posts of all workers.
        checkup: runs the checks.
        version: of weir.
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
        """Collect this worker's figures now, and the last posts of the others."""
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
