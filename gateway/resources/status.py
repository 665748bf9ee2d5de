"""`GET /weir/status` and `GET /metrics`: all workers, whichever of them answers."""

from __future__ import annotations

import time
from itertools import chain
from typing import Any

import falcon
import msgspec
from msgspec import Struct

from gateway import metrics
from gateway.bulletin import BEAT_S, Bulletin
from gateway.checkup import Checkup
from gateway.counts import Counts
from gateway.exposition import CONTENT_TYPE, exposition
from gateway.observer import MAX_LAGGARDS
from gateway.resources.query import integer
from gateway.status import Post

_ANSWERING_S = 3 * BEAT_S


class Survey(Struct, frozen=True):
    """All workers at one moment.

    Attributes:
        posts: of those that live.
        counts: of all there ever were.
        health: `gateway.checkup.Checkup.view`.
    """

    posts: list[Post]
    counts: Counts
    health: dict[str, Any]


class _Surveying:
    """Looks at all workers.

    Args:
        bulletin: tells of them.
        checkup: makes the checks.
        version: of weir.
    """

    def __init__(self, bulletin: Bulletin, checkup: Checkup, version: str) -> None:
        self._bulletin = bulletin
        self._checkup = checkup
        self._version = version

    def _survey(self) -> Survey:
        """Look at this one now; of the others there is what they said within the last second."""
        bulletin = self._bulletin
        bulletin.post()
        return Survey(bulletin.workers(), bulletin.counted(), self._checkup.view())


class Status(_Surveying):
    """Everything there is to say, in bounds. Query: ``readers``, how many of them to list."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer at once, whatever the other workers do."""
        asked = integer(req, "readers", 0, MAX_LAGGARDS)
        survey = self._survey()
        posts, health = survey.posts, survey.health
        view = {
            "version": self._version,
            "time_ms": time.time_ns() // 1_000_000,
            "answered_by": self._bulletin.seat,
            "ready": health["ready"],
            "reasons": health["reasons"],
            "upstream": health["upstream"],
            "processors": health["processors"],
            "workers": [_worker(post) for post in posts],
            "sources": list(chain.from_iterable(post.status.sources for post in posts)),
            **_readers(posts, MAX_LAGGARDS if asked is None else asked),
            "counts": _counts(survey.counts, "received"),
        }
        resp.cache_control = ["no-store"]
        resp.data = msgspec.json.encode(view)


class Metrics(_Surveying):
    """The same in figures, for Prometheus."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer in Prometheus' text format."""
        survey = self._survey()
        families = metrics.families(survey.posts, survey.counts, survey.health, self._version)
        resp.content_type = CONTENT_TYPE
        resp.cache_control = ["no-store"]
        resp.data = exposition(families)


def _worker(post: Post) -> dict[str, Any]:
    age_s = time.monotonic() - post.beat
    told = msgspec.to_builtins(post.status)
    told["counts"] = _counts(post.status.counts)
    del told["sources"], told["laggards"]
    return {"answering": age_s <= _ANSWERING_S, "age_s": round(age_s, 3), **told}


def _counts(counts: Counts, *without: str) -> dict[str, Any]:
    """Return what the rows of sources do not say already.

    All workers get all events, so the sum of the ``received`` would say nothing.
    """
    told: dict[str, Any] = msgspec.to_builtins(counts)
    for name in ("sources", *without):
        del told[name]
    return told


def _readers(posts: list[Post], most: int) -> dict[str, Any]:
    """The readers that lag most, and how many there are besides."""
    rows = chain.from_iterable(post.status.laggards for post in posts)
    shown = sorted(rows, key=lambda row: (-row.lag.events, -row.stalled_s))[:most]
    count = sum(post.status.readers for post in posts)
    return {"readers": shown, "more_readers": count - len(shown)}
