"""What weir takes from the system over time, and which way it goes."""

import statistics
import threading
import time

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
        self._pids = [
            pid for name, pids in weir.groups.items() if name != PROVIDER for pid in pids
        ]
        self._taken: list[tuple[float, Taken]] = []
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
        return taken(self._pids)

    @property
    def most_descriptors(self) -> int:
        """Most file descriptors at one time."""
        return max(one.descriptors for _, one in self._taken)

    @property
    def most_memory_mb(self) -> float:
        """Most memory at one time."""
        return max(one.memory_mb for _, one in self._taken)

    def slope_mb_h(self) -> float:
        """Return how memory grows, MB an hour by least squares.

        The first third counts for nothing: logs and journals fill up to their bounds.
        """
        late = self._taken[int(len(self._taken) * _WARM_UP) :]
        if len(late) < 2:
            return 0.0
        seconds = [at for at, _ in late]
        slope, _ = statistics.linear_regression(seconds, [one.memory_mb for _, one in late])
        return slope * _S_PER_H

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            self._taken.append((time.monotonic(), self.now()))
