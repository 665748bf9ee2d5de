"""All workers at one moment: what `/weir/status` and `/metrics` are made of."""

from __future__ import annotations

import time

import gevent
from msgspec import Struct

from gateway.monitor.bulletin import Bulletin
from gateway.monitor.checkup import Checkup, Diagnosis
from gateway.monitor.status import Post
from gateway.streams.counts import Counts

_APART_S = 0.05
"""Between two surveys at least. A survey takes a worker 2 ms."""


class Survey(Struct, frozen=True, kw_only=True):
    """What is known at one moment.

    Attributes:
        version: of weir.
        seat: of the worker that looks.
        at: `time.monotonic()`.
        posts: of the workers that live.
        counts: of all there ever were.
        health: what a checkup finds.
    """

    version: str
    seat: int
    at: float
    posts: list[Post]
    counts: Counts
    health: Diagnosis

    def age_s(self, post: Post) -> float:
        """Return how old it is what a worker says."""
        return round(max(0.0, self.at - post.beat), 3)


class Surveyor:
    """Looks at all workers for one of them; sends no request to any.

    Requests that come close together share a survey. However many clients ask, surveys take the
    worker a small part of its time.

    Args:
        bulletin: tells of them.
        checkup: makes the checks.
        version: of weir.
    """

    def __init__(self, bulletin: Bulletin, checkup: Checkup, version: str) -> None:
        self._bulletin = bulletin
        self._checkup = checkup
        self._version = version
        self._coming: gevent.Greenlet[[], Survey] | None = None
        self._began_at = 0.0

    def survey(self) -> Survey:
        """Return a survey that begins after this call; it may block for `_APART_S`."""
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
        """Look at this worker now, and at what the others said last."""
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
