"""A gateway worker's counters for the user's own agents, which send their events as JSON lines."""

from __future__ import annotations

from collections import Counter
from typing import Protocol


class Taking(Protocol):
    """A request in whose body an agent sends its events, one JSON line each."""

    @property
    def unacknowledged(self) -> int:
        """How many bytes of the request's lines were read, but are not acknowledged yet."""


class AgentCounts:
    """Counts the lines that agents have sent to this worker.

    Attributes:
        lines: how many lines were answered (acknowledged), including refused lines.
        refused: how many lines were refused, by reason.
        taking: the requests from which lines are being read now.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.refused: Counter[str] = Counter()
        self.taking: set[Taking] = set()

    @property
    def unacknowledged(self) -> int:
        """How many bytes of lines were read in all requests, but are not acknowledged yet."""
        return sum(one.unacknowledged for one in self.taking)
