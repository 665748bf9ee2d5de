"""The last readiness report of a bus's processor, and the report's age.

The report is fetched once a second, so that requests for health and readiness need not wait.
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
from gateway.monitor.checks import Check, rounded_up, seconds

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
    """A processor's report, as far as the gateway reads it.

    Attributes:
        upstream: the state of the upstream; None if the processor reads none.
        agents: the user's own agents; None in relay mode.
    """

    ready: bool
    reasons: list[str] = []
    upstream: dict[str, Any] | None = None
    agents: AgentFigures | None = None


class ReadinessMemory:
    """Keeps the last report.

    Args:
        bus: the address of the processor.
        requester: sends commands to the processor.
        version: to use until an upstream has reported its own.
        relays: the processor has to read an upstream.
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
        """Ask for ever, in a greenlet of its own."""
        while True:
            refused = self.ask()
            often_s = _AT_FIRST_EVERY_S if self._said is None else _EVERY_S
            gevent.sleep(_REFUSED_EVERY_S if refused else often_s)

    def ask(self) -> bool:
        """Ask once; return whether the processor refuses to report."""
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
        """Age of the last report (s), None if there is none."""
        return None if self._said is None else self._clock() - self._said_at

    @property
    def answering(self) -> bool:
        """Whether the last report is recent."""
        return self.age_s is not None and self.age_s < FRESH_S

    @property
    def upstream(self) -> dict[str, Any] | None:
        """The last report about the upstream."""
        return None if self._said is None else self._said.upstream

    @property
    def agents(self) -> AgentFigures | None:
        """The agents of the processor, None if it has none, or if the last report is too old."""
        return self._said.agents if self._said is not None and self.answering else None

    def checks(self) -> Iterator[Check]:
        """Yield the checks of the last report, and a check of its age."""
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
            return f"the processor refuses to report its readiness: {self._refused}"
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
            yield Check(name=_FRAME_AGE, ok=False, reason="the processor reads no upstream")


def _frames(upstream: dict[str, Any], age_s: float) -> Check:
    """Check that the upstream is not silent, by a report that is `age_s` old."""
    frame_age_s = frame_age(upstream, age_s)
    allowed_s = _number(upstream.get("silence_s"))
    if frame_age_s is None:
        return Check(
            name=_FRAME_AGE, ok=True, reason="the age of the upstream's last frame is not known"
        )
    words = f"the upstream's last frame came {seconds(frame_age_s)} ago"
    ok = allowed_s is None or frame_age_s <= allowed_s
    if not ok:
        words = f"{words}; allowed: {allowed_s:g} s"
    return Check(name=_FRAME_AGE, ok=ok, value=frame_age_s, threshold=allowed_s, reason=words)


def frame_age(upstream: dict[str, Any], age_s: float) -> float | None:
    """Return the age of the upstream's last frame (s), by a report that is `age_s` old."""
    told_s = _number(upstream.get("frame_age_s"))
    return None if told_s is None else rounded_up(told_s + age_s)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
