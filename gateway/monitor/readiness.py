"""Asks a processor once a second whether it is ready, and keeps the last report.

So requests for health and readiness need not wait for the processor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import msgspec
from msgspec import Struct

from bus.answers import CommandFailed
from bus.commands import Readiness
from bus.malformed import MALFORMED
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester
from gateway.monitor.checks import Check, rounded_up, seconds

log = logging.getLogger("weir.gateway")

_EVERY_S = 1.0
_AT_FIRST_EVERY_S = 0.1
_REFUSED_EVERY_S = 10.0
_DEADLINE_S = 2.0
FRESH_S = 4.0
_FRAME_AGE = "upstream_frame_age_s"
_READS_NONE = "the processor reads no upstream; start it with the gateway's --upstream"


class AgentFigures(Struct, frozen=True):
    """How many of the user's own agents are connected to a processor, and the turns they run."""

    connected: int
    turns: int


class Said(Struct):
    """The fields of a processor's readiness report that the gateway reads.

    Attributes:
        ready: whether the processor can run turns, or reads its upstream.
        reasons: why it is not ready, or what its state is, in words.
        upstream: the state of the upstream; None if the processor reads no upstream.
        agents: the user's own agents; None if the processor reads an upstream.
    """

    ready: bool
    reasons: list[str] = []
    upstream: dict[str, Any] | None = None
    agents: AgentFigures | None = None


class ReadinessMemory:
    """Keeps the last readiness report of one processor.

    Args:
        bus: the address of the processor.
        requester: sends commands to the processor.
        version: the version of weir.
        relays: the processor must read an upstream to be ready.
        clock: returns seconds, and never goes back.

    Attributes:
        bus: the address of the processor.
        version: the version of the upstream, once the upstream has reported it; until then, and
            without an upstream, the version of weir.
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
        """Ask the processor again and again, for ever; needs a greenlet of its own."""
        while True:
            refused = self.ask()
            often_s = _AT_FIRST_EVERY_S if self._said is None else _EVERY_S
            gevent.sleep(_REFUSED_EVERY_S if refused else often_s)

    def ask(self) -> bool:
        """Ask the processor once; return whether it answers with an error."""
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
        version = (self._said.upstream or {}).get("version")
        if isinstance(version, str) and version:
            self.version = version
        return False

    @property
    def age_s(self) -> float | None:
        """The age (s) of the last report, None if there is no report yet."""
        return None if self._said is None else self._clock() - self._said_at

    @property
    def answering(self) -> bool:
        """Whether the last report is less than `FRESH_S` old."""
        return self.age_s is not None and self.age_s < FRESH_S

    @property
    def upstream(self) -> dict[str, Any] | None:
        """The upstream's state in the last report; None if the processor reads no upstream."""
        return None if self._said is None else self._said.upstream

    @property
    def agents(self) -> AgentFigures | None:
        """The agents in the last report; None without agents, or if the report is too old."""
        return self._said.agents if self._said is not None and self.answering else None

    def checks(self) -> Iterator[Check]:
        """Yield a check of the last report's age, and checks of what the report says."""
        age_s = self.age_s
        yield Check(
            name="answer_age_s",
            ok=self.answering and not self._refused,
            value=None if age_s is None else rounded_up(age_s),
            threshold=FRESH_S,
            reason=self._words(age_s),
        )
        if self._said is not None and self.answering and not self._refused:
            yield from self._of_processor(self._said)
        if self._said is not None and age_s is not None:
            yield from self._of_upstream(self._said, age_s)

    def _words(self, age_s: float | None) -> str:
        if self._refused:
            return f"asked whether it is ready, the processor answered: {self._refused}"
        if age_s is None:
            return "the processor has not answered yet"
        if not self.answering:
            return f"the processor has not answered for {seconds(age_s)}; allowed: {FRESH_S:g} s"
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
            yield Check(name=_FRAME_AGE, ok=False, reason=_READS_NONE)


def _frames(upstream: dict[str, Any], age_s: float) -> Check:
    """Check that the upstream still sends, from a processor's report that is `age_s` old."""
    frame_age_s = frame_age(upstream, age_s)
    allowed_s = _number(upstream.get("silence_s"))
    if frame_age_s is None:
        return Check(
            name=_FRAME_AGE, ok=True, reason="it is not known when the upstream has sent an event"
        )
    words = f"the upstream last sent an event or a heartbeat {seconds(frame_age_s)} ago"
    ok = allowed_s is None or frame_age_s <= allowed_s
    if not ok:
        words = f"{words}; allowed: {allowed_s:g} s"
    return Check(name=_FRAME_AGE, ok=ok, value=frame_age_s, threshold=allowed_s, reason=words)


def frame_age(upstream: dict[str, Any], age_s: float) -> float | None:
    """Return how long ago (s) the upstream has sent an event or a heartbeat; None if not known.

    Args:
        upstream: the processor's report on the upstream.
        age_s: the age (s) of this report.
    """
    reported_s = _number(upstream.get("frame_age_s"))
    return None if reported_s is None else rounded_up(reported_s + age_s)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
