"""How long to wait before the next attempt: doubling, jittered, bounded."""

from __future__ import annotations

import random
from typing import Final

# The module's own generator is shared by all threads, and repeats its numbers once it is seeded.
_RANDOM: Final = random.SystemRandom()


class Backoff:
    """Exponential backoff with jitter, so that the clients of a server do not all return at once.

    Args:
        first_s: the first wait.
        most_s: the longest wait, before jitter.
        jitter: each wait is made longer or shorter by up to this fraction.
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
