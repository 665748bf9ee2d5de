"""The pause between two restarts of a service for too much memory."""

from __future__ import annotations

from bus.backoff import Backoff

_FIRST_S, _LONGEST_S = 15.0, 600.0


class Cooldown:
    """Limits how often a service is restarted, if its memory limit is too low for its load."""

    def __init__(self) -> None:
        self._backoff = Backoff(_FIRST_S, _LONGEST_S)
        self._until = 0.0

    def over(self, now: float) -> bool:
        """Return whether a restart is allowed now; if so, begin the next pause.

        Each pause is twice as long as the pause before, up to ten minutes. After a pause without a
        restart for ten minutes, the pauses begin at 15 s again.
        """
        if now < self._until:
            return False
        if now > self._until + _LONGEST_S:
            self._backoff.reset()
        self._until = now + self._backoff.next_s()
        return True
