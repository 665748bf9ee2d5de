"""The timeout for an upstream that sends nothing.

A request for a turn stays open as long as the turn takes: minutes while tools run, or a night
until a person answers a question. A timeout for one request cannot distinguish this from an
upstream that hangs. So after the timeout, the proxy sends another request (a probe) to the
upstream, and gives up the first request only if the probe gets no answer either.
"""

from __future__ import annotations

from collections.abc import Callable


class Patience:
    """Measures for how long no bytes have moved in one exchange (request and answer).

    Args:
        limit_s: after how many seconds without bytes the upstream is probed, and how many seconds
            the upstream then has to answer the probe.
        lives: probes the upstream: called with `limit_s`, returns whether the upstream answers.
        clock: returns the time in seconds, monotonic.
    """

    def __init__(
        self, limit_s: float, lives: Callable[[float], bool], clock: Callable[[], float]
    ) -> None:
        self._limit_s = limit_s
        self._lives = lives
        self._clock = clock
        self._since = clock()

    @property
    def left_s(self) -> float:
        """How many seconds are left until the timeout; 0 after it."""
        return max(0.0, self._since + self._limit_s - self._clock())

    def broken(self) -> None:
        """Record that bytes have moved, so that the timeout begins again."""
        self._since = self._clock()

    def extended(self) -> bool:
        """Probe the upstream; if it answers, restart the timeout, and return True."""
        if not self._lives(self._limit_s):
            return False
        self.broken()
        return True
