"""How long to let frames merge between two flushes of readers that wait for the same.

While a flush is cheap, every event leaves at once. As flushes get dearer, they are spaced in
proportion to their cost, so that readers take a bounded share of the worker's time and the rest
is left to ingest and other routes. It is a maximum age, never a debounce: a steady trickle is
not held back by its own arrival.
"""

from __future__ import annotations

MAX_PAUSE_S = 0.05
_CHEAP_S = 0.001
_PAUSE_PER_COST = 2.0


def pause_after(cost_s: float) -> float:
    """Return how long to wait (s) before the next flush, when the last one took `cost_s`."""
    if cost_s < _CHEAP_S:
        return 0.0
    return min(cost_s * _PAUSE_PER_COST, MAX_PAUSE_S)
