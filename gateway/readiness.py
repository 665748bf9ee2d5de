"""What the processor last said of itself and of the upstream, and how long ago.

Asked for once a second, so that health and readiness answer from memory whatever else goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import gevent
import msgspec
from msgspec import Struct

from bus.commands import CommandFailed, Readiness
from bus.requester import DeadlineExceeded, ProcessorGone, Requester

log = logging.getLogger("weir.gateway")

_EVERY_S = 1.0
_REFUSED_EVERY_S = 10.0
_DEADLINE_S = 2.0
_FRESH_S = 4.0


class Said(Struct):
    """A processor's answer, as far as it is understood here.

    Attributes:
        upstream: what it knows of the upstream; None where it reads none.
    """

    ready: bool
    reasons: list[str] = []
    upstream: dict[str, Any] | None = None


class ReadinessMemory:
    """Remembers the last answer.

    Args:
        requester: asks the processor.
        version: to go by before an upstream has told its own.
        relays: there has to be an upstream.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        requester: Requester,
        version: str,
        relays: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
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
            gevent.sleep(_REFUSED_EVERY_S if self.ask() else _EVERY_S)

    def ask(self) -> bool:
        """Ask once; returns whether the processor refuses to say."""
        try:
            self._said = self._decode(self._requester.call(Readiness(), _DEADLINE_S).body)
        except (ProcessorGone, DeadlineExceeded):
            return False
        except (CommandFailed, msgspec.MsgspecError) as error:
            self._refused = str(error)
            log.warning("the processor refuses to tell its readiness: %s", error)
            return True
        self._refused = ""
        self._said_at = self._clock()
        told = (self._said.upstream or {}).get("version")
        if isinstance(told, str) and told:
            self.version = told
        return False

    def view(self) -> dict[str, Any]:
        """``{"ready", "reasons", "upstream", "processor": {"answering", "age_s"}}``."""
        age_s = None if self._said is None else round(self._clock() - self._said_at, 1)
        answering = age_s is not None and age_s < _FRESH_S
        reasons = self._reasons(answering, age_s)
        return {
            "ready": not reasons,
            "reasons": reasons,
            "upstream": self._said.upstream if self._said is not None else None,
            "processor": {"answering": answering, "age_s": age_s},
        }

    def _reasons(self, answering: bool, age_s: float | None) -> list[str]:
        if self._refused:
            return [f"the processor refuses to tell its readiness: {self._refused}"]
        if self._said is None:
            return ["the processor has not answered yet"]
        if not answering:
            return [f"the processor has not answered for {age_s:g} s"]
        reasons = list(self._said.reasons)
        if self._relays and self._said.upstream is None:
            reasons.append("the processor reads no upstream")
        if not self._said.ready and not reasons:
            reasons.append("the processor is not ready")
        return reasons
