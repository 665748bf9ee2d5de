"""Runs every readiness check: can this gateway deliver events and run turns, and if not, why."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gateway.feed import Feeds
from gateway.monitor import checks
from gateway.monitor.bulletin import Bulletin
from gateway.monitor.checks import Check, Heard
from gateway.monitor.readiness import AgentFigures, ReadinessMemory
from gateway.monitor.status import Post


class ProcessorStatus(Struct, frozen=True):
    """The processor of a bus, as it was last heard.

    Attributes:
        answering: it was lately.
        age_s: how long ago, None if it never was.
        upstream: what it then knew of its upstream, None where it reads none.
        agents: that it then had; None where it reads an upstream, or does not answer.
    """

    bus: str
    answering: bool
    age_s: float | None
    upstream: dict[str, Any] | None
    agents: AgentFigures | None = None


class Diagnosis(Struct, frozen=True):
    """What a checkup finds.

    Attributes:
        reasons: of all that fails, in words.
        upstream: of the first processor.
    """

    ready: bool
    reasons: list[str]
    checks: list[Check]
    upstream: dict[str, Any] | None
    processors: list[ProcessorStatus]


class Checkup:
    """Makes the checks anew at each request, from what this worker knows; sends no request itself.

    Args:
        memories: what the processor of each bus said; of each there has to be a source.
        feeds: hear the sources.
        bulletin: tells of all workers.
    """

    def __init__(
        self, memories: Sequence[ReadinessMemory], feeds: Feeds, bulletin: Bulletin
    ) -> None:
        self._memories = memories
        self._feeds = feeds
        self._bulletin = bulletin

    def diagnosis(self) -> Diagnosis:
        """Make all checks."""
        made = self._checks()
        # A reason that two checks give is reported once.
        reasons = list(dict.fromkeys(check.reason for check in made if not check.ok))
        return Diagnosis(
            ready=not reasons,
            reasons=reasons,
            checks=made,
            upstream=self._memories[0].upstream,
            processors=list(map(_status, self._memories)),
        )

    def _checks(self) -> list[Check]:
        now = time.monotonic()
        posts = self._bulletin.workers()
        turning = [post for post in posts if checks.turns(post, now)]
        heard = checks.heartbeats(self._heard(turning, now), len(self._memories))
        made = [*self._of_processors(), *heard]
        for post in posts:
            made.append(checks.loop_lag(post, now))
            made += checks.fills(post)
        return made

    def _of_processors(self) -> Iterator[Check]:
        """Yield what the processors say; where there are several, by the names of their buses."""
        alone = len(self._memories) == 1
        for memory in self._memories:
            for check in memory.checks():
                words = f"bus {memory.bus}: {check.reason}"
                yield check if alone else replace(check, reason=words)

    def _heard(self, posts: list[Post], now: float) -> dict[str, Heard]:
        """Return how long ago each source was heard, by the worker that waits for it longest.

        One that has not heard it at all waits since its start. What a worker that stands still
        has heard does not matter any more.
        """
        here = {name: now - state.alive_at for name, state in self._feeds.sources.items()}
        ages = {post.status.worker: _told(post) for post in posts} | {self._bulletin.seat: here}
        uptimes = {post.status.worker: post.status.uptime_s for post in posts}
        return {
            source: max(
                Heard(of_worker.get(source, uptimes.get(worker, 0.0)), worker)
                for worker, of_worker in ages.items()
            )
            for source in set(chain.from_iterable(ages.values()))
        }


def _status(memory: ReadinessMemory) -> ProcessorStatus:
    age_s = memory.age_s
    rounded = None if age_s is None else round(age_s, 1)
    return ProcessorStatus(memory.bus, memory.answering, rounded, memory.upstream, memory.agents)


def _told(post: Post) -> dict[str, float]:
    return {row.source: row.heartbeat_age_s for row in post.status.sources}
