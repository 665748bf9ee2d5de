"""The checks of `/weir/readyz`: each has a measured value, a threshold, and a reason in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from operator import itemgetter

from msgspec import Struct

from gateway.monitor.status import Fill, Post

HEARTBEAT_AGE_S = 2.5
LOOP_LAG_S = 2.0
# The allowed share of a bound. A log is usually at its bound, and one event that is larger than
# the whole log must not make the gateway unready.
FILL = 2.0


class Check(Struct, frozen=True, kw_only=True):
    """One condition that must hold for the gateway to be ready.

    Attributes:
        name: what is measured, with its unit.
        ok: whether the condition holds.
        value: the measured value, None if there is nothing to measure yet.
        threshold: the largest allowed value, None if there is no such limit.
        reason: the state in words, whether it is good or bad.
    """

    name: str
    ok: bool
    value: float | None = None
    threshold: float | None = None
    reason: str


class Heard(Struct, frozen=True, order=True):
    """How long ago a processor's last message came to a worker."""

    age_s: float
    worker: int


def heartbeats(heard: Mapping[str, Heard], buses: int) -> Iterator[Check]:
    """Yield a check for each source (processor): whether its heartbeats reach all workers.

    Args:
        heard: for each source, the worker to which it has sent nothing for longest.
        buses: how many sources there must be. Further sources, which are silent for longest, have
            been replaced and may be silent.
    """
    for number, (source, last) in enumerate(sorted(heard.items(), key=itemgetter(1))):
        age_s = last.age_s
        ok = age_s <= HEARTBEAT_AGE_S
        silent = f"nothing from processor {source} for {seconds(age_s)}"
        words = f"worker {last.worker} has received {silent}"
        if not ok and number >= buses:
            ok, words = True, f"{words}; another processor has replaced it"
        yield _check("heartbeat_age_s", ok, age_s, HEARTBEAT_AGE_S, words)
    for _ in range(buses - len(heard)):
        yield _check(
            "heartbeat_age_s", False, None, HEARTBEAT_AGE_S, "no processor has sent anything yet"
        )


def turns(post: Post, now: float) -> bool:
    """Return whether a worker's event loop is running, judging by the time of its last post."""
    return post.overdue_s(now) <= LOOP_LAG_S


def loop_lag(post: Post, now: float) -> Check:
    """Check that a worker's event loop is not blocked.

    Args:
        post: the status that the worker has posted last.
        now: `time.monotonic()`.
    """
    worker, overdue_s = post.status, post.overdue_s(now)
    lag_s = max(overdue_s, worker.loop_lag_s)
    words = f"the event loop of worker {worker.worker} was late by {seconds(lag_s, 2)}"
    if not turns(post, now):
        who = f"worker {worker.worker} (pid {worker.pid})"
        words = f"the event loop of {who} has been blocked for {seconds(overdue_s)}"
    return _check("loop_lag_s", lag_s <= LOOP_LAG_S, lag_s, LOOP_LAG_S, words)


def fills(post: Post) -> Iterator[Check]:
    """Check that a worker's log (of events) and ledger (of present values) keep their bounds."""
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
    """Round up, so that a value slightly above a threshold is not shown as equal to it."""
    scale = 10.0**digits
    return math.ceil(round(value * scale, 6)) / scale


def seconds(value: float, digits: int = 1) -> str:
    """Return a time with its unit, such as ``2.5 s``, rounded up."""
    return f"{rounded_up(value, digits):.{digits}f} s"


def _allowed(name: str, threshold: float) -> str:
    return f"{threshold:g} s" if name.endswith("_s") else f"{threshold:.0%}"
