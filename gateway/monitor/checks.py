"""Readiness checks of a gateway: each has a value, its threshold, and a reason in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from operator import itemgetter

from msgspec import Struct

from gateway.monitor.status import Fill, Post

HEARTBEAT_AGE_S = 2.5
LOOP_LAG_S = 2.0
# A log at its bound is normal. One event larger than the whole log must still pass.
FILL = 2.0


class Check(Struct, frozen=True, kw_only=True):
    """One condition of readiness.

    Attributes:
        name: the measured value, with its unit.
        value: as measured, None if there is nothing to measure yet.
        threshold: the largest allowed value, None if there is no such limit.
        reason: the state in words.
    """

    name: str
    ok: bool
    value: float | None = None
    threshold: float | None = None
    reason: str


class Heard(Struct, frozen=True, order=True):
    """How long ago the last frame of a source came, and to which worker."""

    age_s: float
    worker: int


def heartbeats(heard: Mapping[str, Heard], buses: int) -> Iterator[Check]:
    """Yield a check for each source.

    Args:
        heard: for each source, the worker to which no frame has come for longest.
        buses: how many sources there have to be; a source that was replaced may be silent.
    """
    for number, (source, last) in enumerate(sorted(heard.items(), key=itemgetter(1))):
        age_s = last.age_s
        ok = age_s <= HEARTBEAT_AGE_S
        words = f"source {source} was heard {seconds(age_s)} ago by worker {last.worker}"
        if not ok and number >= buses:
            ok, words = True, f"{words}; another source has taken its place"
        yield _check("heartbeat_age_s", ok, age_s, HEARTBEAT_AGE_S, words)
    for _ in range(buses - len(heard)):
        yield _check(
            "heartbeat_age_s", False, None, HEARTBEAT_AGE_S, "no source has been heard yet"
        )


def turns(post: Post, now: float) -> bool:
    """Return whether a worker's loop still turns, judging by its last post."""
    return post.overdue_s(now) <= LOOP_LAG_S


def loop_lag(post: Post, now: float) -> Check:
    """Check that a worker's loop turns.

    Args:
        post: the worker's last post.
        now: `time.monotonic()`.
    """
    worker, overdue_s = post.status, post.overdue_s(now)
    lag_s = max(overdue_s, worker.loop_lag_s)
    words = f"the loop of worker {worker.worker} was late by {seconds(lag_s, 2)}"
    if not turns(post, now):
        words = (
            f"worker {worker.worker} (pid {worker.pid}) has stood still for {seconds(overdue_s)}"
        )
    return _check("loop_lag_s", lag_s <= LOOP_LAG_S, lag_s, LOOP_LAG_S, words)


def fills(post: Post) -> Iterator[Check]:
    """Check that a worker's log and ledger keep their bounds."""
    yield _fill("log", post, post.status.log)
    yield _fill("ledger", post, post.status.ledger)


def _fill(name: str, post: Post, fill: Fill) -> Check:
    words = f"the {name} of worker {post.status.worker} uses {fill.fill:.0%} of its bound"
    return _check(f"{name}_fill", fill.fill <= FILL, fill.fill, FILL, words)


def _check(name: str, ok: bool, value: float | None, threshold: float, words: str) -> Check:
    reason = words if ok or value is None else f"{words}; allowed: {_allowed(name, threshold)}"
    shown = value if value is None else rounded_up(value)
    return Check(name=name, ok=ok, value=shown, threshold=threshold, reason=reason)


def rounded_up(value: float, digits: int = 3) -> float:
    """Return a value with few decimals: a value above its threshold has to look like that."""
    scale = 10.0**digits
    return math.ceil(round(value * scale, 6)) / scale


def seconds(value: float, digits: int = 1) -> str:
    """Return a time in words, rounded up."""
    return f"{rounded_up(value, digits):.{digits}f} s"


def _allowed(name: str, threshold: float) -> str:
    return f"{threshold:g} s" if name.endswith("_s") else f"{threshold:.0%}"
