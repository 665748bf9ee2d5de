"""The last readiness report of a bus's processor, and the report's age.

The report is fetched once a second, so that health and readiness are answered from memory.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import msgspec
from msgspec import Struct

from bus.commands import CommandFailed, Readiness
from bus.malformed import MALFORMED
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester
from gateway.monitor.checks import Check

log = logging.getLogger("weir.gateway")

_EVERY_S = 1.0
_AT_FIRST_EVERY_S = 0.1
_REFUSED_EVERY_S = 10.0
_DEADLINE_S = 2.0
FRESH_S = 4.0
_FRAME_AGE = "upstream_frame_age_s"


class AgentFigures(Struct, frozen=True):
    """The agents of a processor: how many are connected, and how many turns they run."""

    connected: int
    turns: int


class Said(Struct):
    """A processor's answer, as far as it is understood here.

    Attributes:
        upstream: what it knows of the upstream; None where it reads none.
        agents: of one's own; None where there is an upstream.
    """

    ready: bool
    reasons: list[str] = []
    upstream: dict[str, Any] | None = None
    agents: AgentFigures | None = None


class ReadinessMemory:
    """Remembers the last answer.

    Args:
        bus: the address of the processor.
        requester: asks it.
        version: to go by before an upstream has reported its own.
        relays: there has to be an upstream.
        clock: monotonic, in seconds.

    Attributes:
        bus: as given.
        version: of the upstream, once the upstream has reported it.
    """

    def __init__(
        self,
        bus: str,
        requester: Requester,
        version: str,
        relays: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bus = bus
        self._requester = requester
        self._relays = relays
        self._clock = clock
        self._decode = msgspec.json.Decoder(Said).decode
        self._said: Said | None = None
        self._said_at = 0.0
        self._refused = ""
        self.version = version

    def run(self) -> None:
        """Ask for ever; a greenlet of its own."""
        while True:
            refused = self.ask()
            often_s = _AT_FIRST_EVERY_S if self._said is None else _EVERY_S
            gevent.sleep(_REFUSED_EVERY_S if refused else often_s)

    def ask(self) -> bool:
        """Ask once; returns whether the processor refuses to say."""
        try:
            self._said = self._decode(self._requester.call(Readiness(), _DEADLINE_S).body)
        except (ProcessorGone, DeadlineExceeded):
            return False
        except (CommandFailed, *MALFORMED) as error:
            self._refused = str(error)
            log.warning("bus %s: %s", self.bus, self._words(self.age_s))
            return True
        self._refused = ""
        self._said_at = self._clock()
        told = (self._said.upstream or {}).get("version")
        if isinstance(told, str) and told:
            self.version = told
        return False

    @property
    def age_s(self) -> float | None:
        """How long ago it answered, None if it never has."""
        return None if self._said is None else self._clock() - self._said_at

    @property
    def answering(self) -> bool:
        """Whether that was lately."""
        return self.age_s is not None and self.age_s < FRESH_S

    @property
    def upstream(self) -> dict[str, Any] | None:
        """What the processor knows of the upstream."""
        return None if self._said is None else self._said.upstream

    @property
    def agents(self) -> AgentFigures | None:
        """The agents of the processor, None where it has none, or is not heard any more."""
        return self._said.agents if self._said is not None and self.answering else None

    def checks(self) -> Iterator[Check]:
        """Yield what the processor has to say, and whether it says it in time."""
        age_s = self.age_s
        yield Check(
            name="answer_age_s",
            ok=self.answering and not self._refused,
            value=None if age_s is None else round(age_s, 3),
            threshold=FRESH_S,
            reason=self._words(age_s),
        )
        if self._said is not None and self.answering and not self._refused:
            yield from self._of_processor(self._said)
        if self._said is not None and age_s is not None:
            yield from self._of_upstream(self._said, age_s)

    def _words(self, age_s: float | None) -> str:
        if self._refused:
            return f"the processor refuses to report its readiness: {self._refused}"
        if age_s is None:
            return "the processor has not answered yet"
        if not self.answering:
            return f"the processor has not answered for {age_s:.1f} s; allowed: {FRESH_S:g} s"
        return f"the processor answered {age_s:.1f} s ago"

    def _of_processor(self, said: Said) -> Iterator[Check]:
        reasons = said.reasons
        if not reasons:
            words = "the processor is ready" if said.ready else "the processor is not ready"
            reasons = [words]
        for reason in reasons:
            yield Check(name="processor", ok=said.ready, reason=reason)

    def _of_upstream(self, said: Said, age_s: float) -> Iterator[Check]:
        if said.upstream is not None:
            yield _frames(said.upstream, age_s)
        elif self._relays:
            yield Check(name=_FRAME_AGE, ok=False, reason="the processor reads no upstream")


def _frames(upstream: dict[str, Any], age_s: float) -> Check:
    """Check that the upstream is not silent, by a report of that age."""
    frame_age_s = frame_age(upstream, age_s)
    allowed_s = _number(upstream.get("silence_s"))
    if frame_age_s is None:
        return Check(
            name=_FRAME_AGE, ok=True, reason="the age of the upstream's last frame is not known"
        )
    words = f"the upstream's last frame came {frame_age_s:.1f} s ago"
    ok = allowed_s is None or frame_age_s <= allowed_s
    if not ok:
        words = f"{words}; allowed: {allowed_s:g} s"
    return Check(name=_FRAME_AGE, ok=ok, value=frame_age_s, threshold=allowed_s, reason=words)


def frame_age(upstream: dict[str, Any], age_s: float) -> float | None:
    """Return how long ago the last frame came (s), by a report of `age_s` ago; None if unknown."""
    told_s = _number(upstream.get("frame_age_s"))
    return None if told_s is None else round(told_s + age_s, 3)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
