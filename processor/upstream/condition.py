"""The state of the connection to the upstream, for readiness."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Condition:
    """Told of what happens by those it happens to.

    Args:
        url: of the upstream, fit to be shown.
        clock: seconds that only go forward.
        silence_s: how long it may say nothing, None where that is not known.

    Attributes:
        version: what the server says it is, None as long as it has not.
        directory: the server's own folder, which requests mean that name none; None as long as
            the server has not said, empty if it never will.
        attempts: to connect, since the last event.
        healing: whether something that was missed is still to be fetched.
        unhealed: why that has failed so far, None while it has not.
        withheld: events so far that were not published, since they are of a text with a hole, or
            older than what was fetched.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        silence_s: float | None = None,
    ) -> None:
        self.version: str | None = None
        self.directory: str | None = None
        self.attempts = 0
        self.healing = False
        self.unhealed: str | None = None
        self.withheld = 0
        self._url = url
        self._clock = clock
        self._silence_s = silence_s
        self._connections = 0
        self._connected_at: float | None = None
        self._lost_at = clock()
        self._lost_why = "is not connected yet"
        self._frame_at = clock()

    @property
    def frame_age_s(self) -> float:
        """How long ago the last sign of life came."""
        return self._clock() - self._frame_at

    @property
    def ever_connected(self) -> bool:
        """Whether there has been a connection since the start."""
        return self._connections > 0

    def connected(self) -> None:
        """A connection stands."""
        self._connections += 1
        self._connected_at = self._frame_at = self._clock()

    def frame(self) -> None:
        """An event came, be it a heartbeat."""
        self._frame_at = self._clock()
        self.attempts = 0

    def lost(self, why: str) -> None:
        """There is no connection."""
        if self._connected_at is not None:
            self._connected_at = None
            self._lost_at = self._clock()
        self._lost_why = why

    def body(self) -> dict[str, Any]:
        """Return what the command `Readiness` answers."""
        now = self._clock()
        connected_at = self._connected_at
        reasons = []
        if connected_at is None:
            reasons.append(
                f"upstream {self._url} {self._lost_why}; "
                f"no connection for {now - self._lost_at:.1f} s"
            )
        if self.unhealed is not None:
            reasons.append(
                f"the events missed of upstream {self._url} cannot be fetched: {self.unhealed}"
            )
        return {
            "ready": not reasons,
            "reasons": reasons,
            "upstream": {
                "url": self._url,
                "connected": connected_at is not None,
                "version": self.version,
                "directory": self.directory,
                "frame_age_s": round(self.frame_age_s, 3),
                "silence_s": self._silence_s,
                "connected_s": 0.0 if connected_at is None else round(now - connected_at, 3),
                "attempts": self.attempts,
                "reconnects": max(0, self._connections - 1),
                "healing": self.healing,
                "withheld_events": self.withheld,
            },
        }
