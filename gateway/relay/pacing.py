"""How often the readers of a lane get further deltas of a text.

A client lays out a text anew for each delta, which costs the client time in proportion to the
length of the text. Further deltas of a part leave only so often, and less often as the text grows.
The first delta of a part, and all that is no delta, leave at once, and take along what waits. That
is a maximum age and never a debounce: a steady trickle does not hold itself back.
"""

from __future__ import annotations

from collections.abc import Container

from gateway.relay.relay import Flow, Step

PER_CHARACTER_S = 4e-6
"""Twice what the terminal client of opencode takes to lay out a character of a text."""
MAX_AGE_S = 1.0
_MOST_FLOWS = 64


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
