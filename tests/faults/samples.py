"""What weir takes from the system over time, which way it goes, and how full its stores are."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.benchmarks import process_tree
from tests.benchmarks.memory import PROVIDER
from tests.benchmarks.weir_up import Weir
from tests.faults.weir_processes import Taken, taken

_EVERY_S = 1.0
_WARM_UP = 1 / 3
_S_PER_H = 3600.0


class Fills(NamedTuple):
    """How full the stores of a worker are, of that worker where they are fullest; 1 is full."""

    log: float
    ledger: float

    def __str__(self) -> str:
        return f"log {self.log:.0%}, ledger {self.ledger:.0%}"


class Moment(NamedTuple):
    """One look.

    Attributes:
        at: `time.monotonic()` of it.
        taken: by all processes together.
        own_mb: memory that each has allocated.
    """

    at: float
    taken: Taken
    own_mb: dict[str, float]
    fills: Fills


class Samples:
    """Looks at all of weir's processes once a second, for the time of a ``with`` block.

    Attributes:
        first: before anything was asked of it.
    """

    def __init__(self, weir: Weir) -> None:
        self._weir = weir
        self._processes = _named(weir)
        self._moments: list[Moment] = []
        self._stopped = threading.Event()
        self._thread = ThreadPoolExecutor(1)
        self.first = self._look()

    def __enter__(self) -> "Samples":
        """Begin."""
        self._running = self._thread.submit(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        """End; raises what has kept it from looking."""
        self._stopped.set()
        self._running.result()
        self._thread.shutdown()

    def now(self) -> Taken:
        """Look at what they take at this moment."""
        return taken(self._processes.values())

    @property
    def most_descriptors(self) -> int:
        """Most file descriptors at one time."""
        return max(one.taken.descriptors for one in (self.first, *self._moments))

    def table(self) -> str:
        """Return memory and its slope by process, and how full the stores were meanwhile."""
        late = self._late()
        lines = [f"{'memory, MB':12}{'first':>8}{'most':>8}{'last':>8}{'slope, MB/h':>14}"]
        for name in self._processes:
            memory = [one.own_mb[name] for one in (self.first, *self._moments)]
            slope = _slope_mb_h(late, name)
            lines.append(
                f"{name:12}{memory[0]:8.1f}{max(memory):8.1f}{memory[-1]:8.1f}{slope:+14.1f}"
            )
        since_s = late[0].at - self.first.at
        return "\n".join([*lines, f"slope from {since_s:.0f} s on: {_both(late)}"])

    def _late(self) -> list[Moment]:
        """Return what counts for a slope: at first, stores fill up to their bounds."""
        return self._moments[int(len(self._moments) * _WARM_UP) :] or [self.first]

    def _look(self) -> Moment:
        own_mb = {name: process_tree.own_mb(pid) for name, pid in self._processes.items()}
        return Moment(time.monotonic(), self.now(), own_mb, _fills(self._weir))

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            self._moments.append(self._look())


def _named(weir: Weir) -> dict[str, int]:
    """Name each of weir's processes, workers by number."""
    named = {}
    for name, pids in weir.groups.items():
        if name == "workers":
            named |= {f"worker {number}": pid for number, pid in enumerate(pids, 1)}
        elif name != PROVIDER:
            (named[name],) = pids
    return named


def _fills(weir: Weir) -> Fills:
    workers = weir.ask("GET", "/weir/status")["workers"]
    return Fills(*(max(one[store]["fill"] for one in workers) for store in Fills._fields))


def _slope_mb_h(late: list[Moment], name: str) -> float:
    """Return how the memory of a process grows, MB an hour, by least squares."""
    if len(late) < 2:
        return 0.0
    slope, _ = statistics.linear_regression(
        [one.at for one in late], [one.own_mb[name] for one in late]
    )
    return slope * _S_PER_H


def _both(late: list[Moment]) -> str:
    return f"{late[0].fills} then, {late[-1].fills} at the end"
