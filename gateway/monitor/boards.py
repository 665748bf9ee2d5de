"""Memory that gunicorn's master creates before it forks, and that all its workers share."""

from __future__ import annotations

from gateway.monitor.history import History
from gateway.monitor.scoreboard import Scoreboard
from gateway.streams.resets import Grid


class Boards:
    """All shared memory of the workers. Pages that no worker has written to take no memory.

    Args:
        seats: how many workers there may be at once, including workers that are ending. A seat is
            the number of a worker; the worker that replaces it gets the same number.

    Attributes:
        status: the latest status of each worker.
        departures: the latest event streams of each worker that have ended.
        history: the statistics of the last quarter of an hour.
        resets: requests to end an event stream of another worker.
    """

    def __init__(self, seats: int) -> None:
        self.status = Scoreboard(seats)
        self.departures = Scoreboard(seats)
        self.history = History()
        self.resets = Grid(seats)

    def __len__(self) -> int:
        return len(self.status)

    def vacate(self, seat: int) -> None:
        """Note that the worker with number `seat` has ended; what it has written stays."""
        self.status.vacate(seat)
