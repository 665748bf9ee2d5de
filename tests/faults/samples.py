"""What weir takes from the system over time, and which way it goes."""

import statistics
import threading
import time

from tests.benchmarks import process_tree
from tests.benchmarks.memory import PROVIDER
from tests.benchmarks.weir_up import Weir
from tests.faults.weir_processes import Taken, taken

_EVERY_S = 1.0
_WARM_UP = 1 / 3
_S_PER_H = 3600.0


class Samples:
    """Looks at all of weir's processes once a second, for the time of a ``with`` block.

    Attributes:
        first: before anything was asked of it.
    """

    def __init__(self, weir: Weir) -> None:
        self._groups = {name: pids for name, pids in weir.groups.items() if name != PROVIDER}
        self._times: list[float] = []
        self._taken: list[Taken] = []
        self._memory_mb: dict[str, list[float]] = {name: [] for name in self._groups}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.first = self.now()

    def __enter__(self) -> "Samples":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stopped.set()
        self._thread.join()

    def now(self) -> Taken:
        """Look at this moment."""
        return taken([pid for pids in self._groups.values() for pid in pids])

    @property
    def most_descriptors(self) -> int:
        """Most file descriptors at one time."""
        return max(one.descriptors for one in (self.first, *self._taken))

    @property
    def most_memory_mb(self) -> float:
        """Most memory at one time."""
        return max(one.memory_mb for one in (self.first, *self._taken))

    def slope_mb_h(self) -> float:
        """Return how the memory of all grows, MB an hour."""
        return self._slope([one.memory_mb for one in self._taken])

    def slopes_mb_h(self) -> dict[str, float]:
        """Return how the memory of each part grows, MB an hour."""
        return {name: self._slope(memory) for name, memory in self._memory_mb.items()}

    def _slope(self, memory_mb: list[float]) -> float:
        """Return the slope by least squares.

        The first third counts for nothing: logs and journals fill up to their bounds.
        """
        begin = int(len(memory_mb) * _WARM_UP)
        late = memory_mb[begin:]
        if len(late) < 2:
            return 0.0
        slope, _ = statistics.linear_regression(self._times[begin:], late)
        return slope * _S_PER_H

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            self._times.append(time.monotonic())
            self._taken.append(self.now())
            for name, pids in self._groups.items():
                self._memory_mb[name].append(process_tree.memory_mb(pids))
