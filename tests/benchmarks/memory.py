"""Memory of groups of processes, watched while something happens."""

import threading
from collections.abc import Mapping, Sequence
from types import TracebackType

from tests.benchmarks import process_tree

EVERY_S = 0.05
SOCKETS = "kernel TCP"
"""What the sockets of the whole machine hold in the kernel; no process's, so not in ``total``."""
PROVIDER = "provider"
"""The group that is no part of weir, so not in ``total``."""


class Memory:
    """Samples until the end of the ``with`` block, and keeps the largest figure of each group.

    Args:
        groups: pids by group.
        every_s: the time between two samples; each costs a millisecond or two for a process.

    Attributes:
        peak: MB by group, and their largest sum as ``total``.
    """

    def __init__(self, groups: Mapping[str, Sequence[int]], every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self.peak: dict[str, float] = {}
        self._groups = groups
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._every_s):
            for name, mb in memory_now(self._groups).items():
                self.peak[name] = max(mb, self.peak.get(name, 0.0))


def memory_now(groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return MB by group, and ``total``, the sum of weir's groups."""
    now = {name: process_tree.memory_mb(pids) for name, pids in groups.items()}
    total = sum(mb for name, mb in now.items() if name != PROVIDER)
    return {**now, "total": total, SOCKETS: process_tree.socket_memory_mb()}
