"""Whether events and turns can be had here: every check, and what fails in words."""

from __future__ import annotations

import time
from typing import Any

from bus.subscriber import Subscriber
from gateway import checks
from gateway.bulletin import BEAT_S, Bulletin
from gateway.checks import Check
from gateway.readiness import ReadinessMemory

_BUSES = 1


class Checkup:
    """Made anew for everybody who asks, from what is known; asks nobody itself.

    Args:
        memory: what the processor said.
        subscriber: hears the sources.
        bulletin: tells of all workers.
    """

    def __init__(
        self, memory: ReadinessMemory, subscriber: Subscriber, bulletin: Bulletin
    ) -> None:
        self._memory = memory
        self._subscriber = subscriber
        self._bulletin = bulletin

    def view(self) -> dict[str, Any]:
        """``{"ready", "reasons", "checks", "upstream", "processor": {"answering", "age_s"}}``."""
        memory, made = self._memory, self.checks()
        # One that is named twice, by itself and by the processor, is told once.
        reasons = list(dict.fromkeys(check.reason for check in made if not check.ok))
        age_s = memory.age_s
        return {
            "ready": not reasons,
            "reasons": reasons,
            "checks": made,
            "upstream": memory.upstream,
            "processor": {
                "answering": memory.answering,
                "age_s": None if age_s is None else round(age_s, 1),
            },
        }

    def checks(self) -> list[Check]:
        """Return all checks."""
        now = time.monotonic()
        ages_s = {name: now - s.alive_at for name, s in self._subscriber.sources.items()}
        made = [*self._memory.checks(), *checks.heartbeats(ages_s, _BUSES)]
        for post in self._bulletin.workers():
            made.append(checks.loop_lag(post, now, BEAT_S))
            made += checks.fills(post)
        return made
