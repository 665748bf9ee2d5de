"""How long to wait before a model is asked again."""

from __future__ import annotations

import random

FIRST_S = 0.5
LONGEST_S = 30.0


def delay_s(attempt: int, asked_s: float | None) -> float:
    """Return the pause after a failed attempt.

    Args:
        attempt: the number of the one that failed, from 1.
        asked_s: what the provider asks for, which wins; 0 is at once.

    Returns:
        Otherwise a random time in the upper half of 0.5 s doubled for each attempt, 30 s at
        most: many sessions that failed together do not come back together.
    """
    if asked_s is not None:
        return asked_s
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(attempt - 1, 16))
    return random.uniform(longest / 2, longest)
