"""How long an upstream may send nothing.

A request for a turn stays open as long as the turn takes: minutes of tools, or a night until a
person answers a question. A limit for one request could not distinguish this from an upstream that
hangs. So the limit is for the upstream as a whole: past it, the proxy sends a probe, and gives up
the request only if the probe gets no answer either.
"""

from __future__ import annotations

from collections.abc import Callable


class Patience:
    """Measures the silence in one exchange.

    Args:
        limit_s: how long a silence may last before the upstream is probed, and how long the
            upstream then has to answer.
        lives: probes the upstream, given `limit_s`.
        clock: monotonic, in seconds.
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
        """How much longer this silence may last (s); 0 at its end."""
        return max(0.0, self._since + self._limit_s - self._clock())

    def broken(self) -> None:
        """Note that bytes have moved: the silence begins again."""
        self._since = self._clock()

    def extended(self) -> bool:
        """Probe the upstream; if it answers, begin the silence again and return True."""
        if not self._lives(self._limit_s):
            return False
        self.broken()
        return True
