"""A worker's counters for the user's own agents."""

from __future__ import annotations

from collections import Counter
from typing import Protocol


class Taking(Protocol):
    """A request that brings lines of an agent."""

    @property
    def unacknowledged(self) -> int:
        """Bytes of its lines that were read and are not acknowledged yet."""


class AgentCounts:
    """Counts lines of agents.

    Attributes:
        lines: acknowledged lines, including the refused ones.
        refused: by reason.
        taking: the requests that bring lines now.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.refused: Counter[str] = Counter()
        self.taking: set[Taking] = set()

    @property
    def unacknowledged(self) -> int:
        """Bytes that were read in all requests, and are not acknowledged yet."""
        return sum(one.unacknowledged for one in self.taking)
