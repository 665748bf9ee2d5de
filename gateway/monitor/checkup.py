"""Runs all readiness checks: whether this gateway can deliver events and take commands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gateway.bus_feeds import Feeds
from gateway.monitor import checks
from gateway.monitor.bulletin import Bulletin
from gateway.monitor.checks import Check, Heard
from gateway.monitor.readiness import AgentFigures, ReadinessMemory
from gateway.monitor.status import Post


class ProcessorStatus(Struct, frozen=True):
    """The state of a processor, by the last report that it has sent.

    Attributes:
        bus: the address of the processor.
        answering: the last report is recent.
        age_s: the age (s) of the last report, None if there is no report yet.
        upstream: the state of the processor's upstream; None if it reads no upstream.
        agents: how many of the user's own agents are connected; None if the processor reads an
            upstream, or does not answer.
    """

    bus: str
    answering: bool
    age_s: float | None
    upstream: dict[str, Any] | None
    agents: AgentFigures | None = None


class Diagnosis(Struct, frozen=True):
    """The result of all readiness checks.

    Attributes:
        ready: whether no check has failed.
        reasons: the reasons of all failed checks, in words.
        checks: all checks.
        upstream: the first processor's report on its upstream.
        processors: the state of each processor.
    """

    ready: bool
    reasons: list[str]
    checks: list[Check]
    upstream: dict[str, Any] | None
    processors: list[ProcessorStatus]


class Checkup:
    """Runs the readiness checks with data that this worker has already; sends no request itself.

    Args:
        memories: the last report of each processor.
        feeds: the connections to the processors, which know when each has sent a message last.
        bulletin: has the latest status of all workers.
    """

    def __init__(
        self, memories: Sequence[ReadinessMemory], feeds: Feeds, bulletin: Bulletin
    ) -> None:
        self._memories = memories
        self._feeds = feeds
        self._bulletin = bulletin

    def diagnosis(self) -> Diagnosis:
        """Run all checks, and return the result."""
        made = self._checks()
        # Two checks may have the same reason, which is then listed only once.
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
        """Yield the checks of the processors; if there are several, the reasons name the bus."""
        alone = len(self._memories) == 1
        for memory in self._memories:
            for check in memory.checks():
                words = f"bus {memory.bus}: {check.reason}"
                yield check if alone else replace(check, reason=words)

    def _heard(self, posts: list[Post], now: float) -> dict[str, Heard]:
        """For each source (processor), return the worker to which it has sent nothing for longest.

        At a worker to which a source has never sent anything, the time counts from the worker's
        start. Workers whose event loop is blocked are not in `posts`.
        """
        here = {name: now - state.alive_at for name, state in self._feeds.sources.items()}
        ages = {post.status.worker: _ages(post) for post in posts} | {self._bulletin.seat: here}
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


def _ages(post: Post) -> dict[str, float]:
    return {row.source: row.heartbeat_age_s for row in post.status.sources}
