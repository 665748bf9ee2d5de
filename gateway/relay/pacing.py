"""How often the readers of a lane (readers with the same filter) get further deltas of a text.

For each delta, a client lays out the whole text again, which takes time in proportion to the
length of the text. So *further* deltas of a part, all but its first, are sent in intervals that
grow with the text. The first delta of a part, and every event that is no delta, are sent at once,
together with the deltas that wait. An interval is a maximum delay, never a debounce: a new delta
does not prolong the interval.
"""

from __future__ import annotations

from collections.abc import Container

from gateway.relay.relay import Flow, Step

PER_CHARACTER_S = 4e-6
"""Twice the time that opencode's terminal client takes to lay out a character of a text."""
MAX_AGE_S = 1.0
_MOST_FLOWS = 64


class Pace:
    """Spaces the deltas of a text, after its first, in one lane (readers with the same filter).

    Args:
        least_s: the shortest interval between two deltas of a text; 0: send each delta at once.

    Attributes:
        holds_back: whether deltas may have to wait; False if `least_s` is 0.
    """

    def __init__(self, least_s: float) -> None:
        self.holds_back = least_s > 0
        self._least_s = least_s
        self._lengths: dict[Flow, int] = {}
        self._until = float("-inf")

    def note(self, step: Step, now: float) -> None:
        """Record that the deltas of `step` are sent at `now`: more of their texts must wait."""
        if not self._least_s or not step.flows:
            return
        for flow, length in step.flows.items():
            self._lengths[flow] = self._lengths.pop(flow, 0) + length
        while len(self._lengths) > _MOST_FLOWS:
            del self._lengths[next(iter(self._lengths))]
        longest = max(self._lengths.get(flow, 0) for flow in step.flows)
        self._until = now + min(max(self._least_s, longest * PER_CHARACTER_S), MAX_AGE_S)

    def held_back_s(self, now: float) -> float:
        """Return how long (s) more of the texts must still wait; 0 or less: send it now."""
        return self._until - now

    @property
    def known(self) -> Container[Flow]:
        """The texts (part and field) whose lengths are known, since their deltas were sent."""
        return self._lengths
