"""What was measured, and the medians and ratios of it."""

import statistics
from collections.abc import Callable, Iterable

from msgspec import Struct

from tests.benchmarks.peers.idle import Idle
from tests.benchmarks.peers.steady import Steady
from tests.benchmarks.peers.storm import Stormed


class Run(Struct, omit_defaults=True):
    """One work at one server in one round.

    Attributes:
        load: of the machine before it, over a minute.
        failed: why there are no figures.
        is_missing: whether the server cannot be had on this machine.
        tui: seconds until a terminal shows the end.
        bus: events a second of each way over the bus.
    """

    peer: str
    work: str
    round: int
    load: float
    failed: str = ""
    is_missing: bool = False
    steady: Steady | None = None
    storm: Stormed | None = None
    idle: Idle | None = None
    tui: float | None = None
    bus: dict[str, float] | None = None


Figure = Callable[[Run], float | None]
"""A figure of a run; None where the run has none."""


class Spread(Struct):
    """A median, and the least and the most of the rounds."""

    median: float
    least: float
    most: float
    count: int

    def shown(self, digits: int = 1) -> str:
        """Return the figure for a table."""
        if self.least == self.most:
            return f"{self.median:,.{digits}f}"
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f} to {self.most:,.{digits}f})"


class Runs:
    """All runs."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self.all = list(runs)

    def peers(self, work: str) -> list[str]:
        """Return who has done a work."""
        return list(dict.fromkeys(run.peer for run in self.all if run.work == work))

    def works(self, kind: str) -> list[str]:
        """Return the names of all work of a kind."""
        names = (run.work for run in self.all if run.work.partition("-")[0] == kind)
        return list(dict.fromkeys(names))

    def failures(self, peer: str, work: str) -> list[str]:
        """Return why runs have failed."""
        return [run.failed for run in self._of(peer, work) if run.failed]

    def spread(self, peer: str, work: str, figure: Figure) -> Spread | None:
        """Return a figure over all rounds; None where there is none."""
        return _spread(self._figures(peer, work, figure).values())

    def ratio(
        self, of: tuple[str, str], to: tuple[str, str], figure: Figure, base: Figure | None = None
    ) -> Spread | None:
        """Return the ratio of a figure between two runs in each round.

        Args:
            of: peer and work whose figure is divided.
            to: peer and work by whose figure it is divided.
            figure: of the first, and of the second if there is no `base`.
            base: the figure of the second.
        """
        over = self._figures(*of, figure)
        under = self._figures(*to, base or figure)
        both = [over[n] / under[n] for n in over if under.get(n)]
        return _spread(both)

    def difference(
        self, of: tuple[str, str], to: tuple[str, str], figure: Figure
    ) -> Spread | None:
        """Return by how much a figure is larger than another in each round."""
        over, under = self._figures(*of, figure), self._figures(*to, figure)
        return _spread(over[n] - under[n] for n in over if n in under)

    def _of(self, peer: str, work: str) -> list[Run]:
        return [run for run in self.all if (run.peer, run.work) == (peer, work)]

    def _figures(self, peer: str, work: str, figure: Figure) -> dict[int, float]:
        found = ((run.round, figure(run)) for run in self._of(peer, work) if not run.failed)
        return {number: value for number, value in found if value is not None}


def _spread(values: Iterable[float]) -> Spread | None:
    ordered = sorted(values)
    if not ordered:
        return None
    return Spread(statistics.median(ordered), ordered[0], ordered[-1], len(ordered))
