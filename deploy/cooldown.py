"""The pause between two restarts for the same cause."""

from __future__ import annotations

from bus.backoff import Backoff

_FIRST_S, _LONGEST_S = 15.0, 600.0


class Cooldown:
    """Prevents continuous restarts if a limit is too low for the load."""

    def __init__(self) -> None:
        self._backoff = Backoff(_FIRST_S, _LONGEST_S)
        self._until = 0.0

    def over(self, now: float) -> bool:
        """Return whether a restart is allowed now; if so, begin the next pause, twice as long."""
        if now < self._until:
            return False
        if now > self._until + _LONGEST_S:
            self._backoff.reset()
        self._until = now + self._backoff.next_s()
        return True
