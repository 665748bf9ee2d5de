"""The state of the connection to the upstream, for readiness."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Condition:
    """Records what happens to the connection; the code that reads the stream calls its methods.

    Args:
        url: of the upstream, without the password.
        clock: seconds that only go forward.
        silence_s: how long the upstream may send nothing; None if unknown.

    Attributes:
        version: of the server, None while it is not known.
        directory: the server's own folder, which is meant by requests without a folder; None while
            it is not known, empty if the server cannot say.
        attempts: to connect, since the last event.
        healing: whether missed events are still to be fetched.
        unhealed: why the last attempt to heal failed, None if none has failed.
        withheld: how many events were not published, because their text has a hole, or because
            they are older than what healing has fetched.
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
        """How long ago (s) the last event or heartbeat came."""
        return self._clock() - self._frame_at

    @property
    def ever_connected(self) -> bool:
        """Whether there has been a connection since the start."""
        return self._connections > 0

    def connected(self) -> None:
        """Record that the stream is connected."""
        self._connections += 1
        self._connected_at = self._frame_at = self._clock()

    def frame(self) -> None:
        """Record that an event or a heartbeat came."""
        self._frame_at = self._clock()
        self.attempts = 0

    def lost(self, why: str) -> None:
        """Record that the connection is lost."""
        if self._connected_at is not None:
            self._connected_at = None
            self._lost_at = self._clock()
        self._lost_why = why

    def body(self) -> dict[str, Any]:
        """Return the answer to the command `Readiness`."""
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
                f"missed events of upstream {self._url} cannot be fetched: {self.unhealed}"
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
