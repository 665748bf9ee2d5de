"""What the processes of a deployment hold, by the line that has allocated it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.blackbox.weir_up import Up, weir_up
from tests.fakes.inventory import FOLDER_VARIABLE, TAKE
from tests.processes import ROOT, wait_until

_PATH = f"{ROOT / 'tests' / 'fakes' / 'inventory'}:{ROOT}"

# CPython leaves traces of short strings that are gone, and of interned ones: parts of paths.
_TRACED_BYTES = 60
_INTERNING = "pathlib.py"


class Held(NamedTuple):
    """What one line has allocated, as far as it lives."""

    objects: int
    bytes: int

    @property
    def mean_bytes(self) -> float:
        """Bytes of an object."""
        return self.bytes / self.objects if self.objects else 0.0


Inventory = dict[str, Held]
"""By process and line."""


class Inventoried:
    """A deployment with one worker, whose stores are small and whose processes can be counted.

    Attributes:
        up: the deployment.
    """

    def __init__(self, up: Up, folder: Path) -> None:
        self.up = up
        self._folder = folder
        self._taken = 0
        self._processes = {
            "supervisor": up.running.process.pid,
            "processor": up.pids("processor")[0],
            "gateway": up.pids("gateway")[0],
            "worker": up.workers(1)[0],
        }

    def take(self) -> Inventory:
        """Count what lives now, once no reader is left."""
        wait_until(lambda: self._readers() == 0, what="the end of all readers")
        self._taken += 1
        for pid in self._processes.values():
            os.kill(pid, TAKE)
        return {
            f"{name} {line}": Held(*held)
            for name, pid in self._processes.items()
            for line, held in self._read(pid).items()
        }

    def _readers(self) -> int:
        (worker,) = self.up.call("GET", "/weir/status").body["workers"]
        return int(worker["readers"])

    def _read(self, pid: int) -> dict[str, list[int]]:
        file = self._folder / f"{pid}.{self._taken}"
        wait_until(file.exists, what=f"the inventory of {pid}")
        found: dict[str, list[int]] = json.loads(file.read_text())
        return found


def grown(before: Inventory, after: Inventory, objects: float, size: float) -> dict[str, Held]:
    """Return how far each line has grown that has by so many objects or bytes."""
    found = {}
    for line, now in after.items():
        if _INTERNING in line:
            continue
        then = before.get(line, Held(0, 0))
        more = Held(now.objects - then.objects, now.bytes - then.bytes)
        if more.bytes >= size or (more.objects >= objects and more.mean_bytes > _TRACED_BYTES):
            found[line] = more
    return found


@contextmanager
def inventoried(folder: Path, *flags: str) -> Iterator[Inventoried]:
    """Run one for the time of a ``with`` block."""
    taken = folder / "taken"
    taken.mkdir()
    env = {"PYTHONPATH": _PATH, FOLDER_VARIABLE: str(taken)}
    with weir_up(folder, "--workers", "1", *flags, env=env) as up:
        yield Inventoried(up, taken)
