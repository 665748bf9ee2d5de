"""How long to wait before the next attempt: doubling, jittered, bounded."""

from __future__ import annotations

import random
from typing import Final

# The generator of the module is shared by all threads, and reproducible where one seeds it.
_RANDOM: Final = random.SystemRandom()


class Backoff:
    """Exponential backoff with jitter, so that many who lost one server do not return at once.

    Args:
        first_s: the first wait.
        most_s: no wait is longer, but for its jitter.
        jitter: each wait is off by up to this fraction, either way.
    """

    def __init__(self, first_s: float = 0.5, most_s: float = 30.0, jitter: float = 0.25) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._jitter = jitter
        self.attempt = 0

    def next_s(self) -> float:
        """Count an attempt and return how long to wait before it."""
        wait = min(self._first_s * 2.0 ** min(self.attempt, 32), self._most_s)
        self.attempt += 1
        return wait * _RANDOM.uniform(1 - self._jitter, 1 + self._jitter)

    def reset(self) -> None:
        """Start over: the last attempt succeeded."""
        self.attempt = 0
