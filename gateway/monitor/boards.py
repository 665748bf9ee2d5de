"""Memory that gunicorn's master makes, and that all its workers share."""

from __future__ import annotations

from gateway.monitor.history import History
from gateway.monitor.scoreboard import Scoreboard
from gateway.streams.resets import Grid


class Boards:
    """All shared memory. Pages that no worker has written to take no memory.

    Args:
        seats: how many workers there may be at once, including workers that are ending.

    Attributes:
        status: the status of each worker.
        departures: the readers of each worker that ended last.
        history: the figures of the last quarter of an hour.
        resets: requests to reset a reader of another worker.
    """

    def __init__(self, seats: int) -> None:
        self.status = Scoreboard(seats)
        self.departures = Scoreboard(seats)
        self.history = History()
        self.resets = Grid(seats)

    def __len__(self) -> int:
        return len(self.status)

    def vacate(self, seat: int) -> None:
        """Note that the worker at a seat has ended; its posts stay."""
        self.status.vacate(seat)
