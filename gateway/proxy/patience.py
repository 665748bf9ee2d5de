"""How long an upstream may say nothing.

A turn is held open for as long as it takes: minutes of tools, or a night until somebody answers a
question. No limit on one request can tell that from an upstream that hangs. So the limit is on the
upstream as a whole: past it, the proxy sends a probe, and gives up the request
only if the probe gets no answer either.
"""

from __future__ import annotations

from collections.abc import Callable


class Patience:
    """Watches the silence of one exchange.

    Args:
        limit_s: how long a silence may last before the upstream is asked whether it lives, and
            how long it then has to answer.
        lives: asks it; it is given the seconds.
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
        """How much longer this silence may last; 0 at its end."""
        return max(0.0, self._since + self._limit_s - self._clock())

    def broken(self) -> None:
        """Note that something moved: a silence begins anew."""
        self._since = self._clock()

    def extended(self) -> bool:
        """Ask the upstream whether it lives, and wait on if it does."""
        if not self._lives(self._limit_s):
            return False
        self.broken()
        return True
