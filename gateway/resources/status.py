"""`GET /weir/status` and `GET /metrics`: figures of all workers; any worker can answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import chain
from typing import Any, Generic, TypeVar

import falcon
import msgspec

from gateway.monitor import metrics
from gateway.monitor.checks import turns
from gateway.monitor.exposition import CONTENT_TYPE, exposition
from gateway.monitor.observer import MAX_LAGGARDS
from gateway.monitor.status import Post
from gateway.monitor.survey import Survey, Surveyor
from gateway.resources.query import integer
from gateway.streams.counts import Counts

T = TypeVar("T")


class Made(Generic[T]):
    """Makes an answer from a survey of all workers, once for all requests with this survey."""

    def __init__(self, make: Callable[[Survey], T]) -> None:
        self._make = make
        self._made: tuple[Survey, T] | None = None

    def of(self, survey: Survey) -> T:
        """Return the answer for a survey; make it if the last call had another survey."""
        if self._made is None or self._made[0] is not survey:
            self._made = survey, self._make(survey)
        return self._made[1]


class StatusRoute:
    """Reports the state of all workers. Query: ``readers``, how many readers to list at most."""

    def __init__(self, surveyor: Surveyor) -> None:
        self._surveyor = surveyor
        self._view = Made(_view)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer soon, even if other workers hang: with the last figures that they have posted."""
        asked = integer(req, "readers", 0, MAX_LAGGARDS)
        view = self._view.of(self._surveyor.survey())
        listed, more = view["readers"], view["more_readers"]
        shown = listed if asked is None else listed[:asked]
        resp.cache_control = ["no-store"]
        left_out = more + len(listed) - len(shown)
        resp.data = msgspec.json.encode(view | {"readers": shown, "more_readers": left_out})


class Metrics:
    """The data of ``/weir/status`` as metrics for Prometheus."""

    def __init__(self, surveyor: Surveyor) -> None:
        self._surveyor = surveyor
        self._figures = Made(lambda survey: exposition(metrics.families(survey)))

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer in Prometheus' text format."""
        resp.content_type = CONTENT_TYPE
        resp.cache_control = ["no-store"]
        resp.data = self._figures.of(self._surveyor.survey())


def _view(survey: Survey) -> dict[str, Any]:
    posts, health = survey.posts, survey.health
    return {
        "version": survey.version,
        "time_ms": time.time_ns() // 1_000_000,
        "answered_by": survey.seat,
        "ready": health.ready,
        "reasons": health.reasons,
        "checks": health.checks,
        "upstream": health.upstream,
        "processors": health.processors,
        "workers": [_worker(post, survey) for post in posts],
        "sources": list(chain.from_iterable(post.status.sources for post in posts)),
        **open_readers(posts),
        "counts": _counts(survey.counts, "received"),
    }


def _worker(post: Post, survey: Survey) -> dict[str, Any]:
    shown = msgspec.to_builtins(post.status)
    shown["counts"] = _counts(post.status.counts)
    del shown["sources"], shown["laggards"]
    return {"answering": turns(post, survey.at), "age_s": survey.age_s(post), **shown}


def _counts(counts: Counts, *without: str) -> dict[str, Any]:
    """Return the counters without ``sources``, which is shown apart, and without others.

    All workers receive all events, so the sum of ``received`` over the workers is meaningless.
    """
    shown: dict[str, Any] = msgspec.to_builtins(counts)
    for name in ("sources", *without):
        del shown[name]
    return shown


def open_readers(posts: list[Post]) -> dict[str, Any]:
    """Return the open event streams (readers) that lag most, and how many others are open."""
    rows = chain.from_iterable(post.status.laggards for post in posts)
    shown = sorted(rows, key=lambda row: (-row.lag.events, -row.stalled_s))[:MAX_LAGGARDS]
    count = sum(post.status.readers for post in posts)
    return {"readers": shown, "more_readers": count - len(shown)}
