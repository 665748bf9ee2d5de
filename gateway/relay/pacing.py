"""When readers that wait for the same are flushed.

Two bounds, each a maximum age and never a debounce: a steady trickle is not held back by its own
arrival.

1. The worker's: flushes are spaced in proportion to their cost, so that readers take a bounded
   share of the worker's time and the rest is left to ingest and other routes.
2. The clients': a client lays out a text anew for each delta, which costs it time in proportion to
   the length of the text. Further deltas of a part leave only so often, and less often as the text
   grows. The first delta of a part, and all that is no delta, leave at once, and take along what
   waits.
"""

from __future__ import annotations

from collections.abc import Container

from gateway.relay.relay import Flow, Step

MAX_PAUSE_S = 0.05
_CHEAP_S = 0.001
_PAUSE_PER_COST = 2.0

PER_CHARACTER_S = 4e-6
"""Twice what the terminal client of opencode takes to lay out a character of a text."""
MAX_AGE_S = 1.0
_MOST_FLOWS = 64


def pause_after(cost_s: float) -> float:
    """Return how long to wait (s) before the next flush, when the last one took `cost_s`."""
    if cost_s < _CHEAP_S:
        return 0.0
    return min(cost_s * _PAUSE_PER_COST, MAX_PAUSE_S)


class Pace:
    """The pace of further deltas in one lane.

    Args:
        least_s: between two flushes of them; 0 to hold back nothing.

    Attributes:
        holds_back: whether there is a pace.
    """

    def __init__(self, least_s: float) -> None:
        self.holds_back = least_s > 0
        self._least_s = least_s
        self._lengths: dict[Flow, int] = {}
        self._until = float("-inf")

    def note(self, step: Step, now: float) -> None:
        """Take in a step that leaves at `now`."""
        if not self._least_s or not step.flows:
            return
        for flow, length in step.flows.items():
            self._lengths[flow] = self._lengths.pop(flow, 0) + length
        while len(self._lengths) > _MOST_FLOWS:
            del self._lengths[next(iter(self._lengths))]
        longest = max(self._lengths.get(flow, 0) for flow in step.flows)
        self._until = now + min(max(self._least_s, longest * PER_CHARACTER_S), MAX_AGE_S)

    def held_back_s(self, now: float) -> float:
        """Return for how long (s) further deltas are held back; 0 or less if they are not."""
        return self._until - now

    @property
    def known(self) -> Container[Flow]:
        """The texts of which the lane has sent a delta lately."""
        return self._lengths
