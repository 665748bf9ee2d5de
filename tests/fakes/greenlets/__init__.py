"""How many greenlets a process runs, asked from outside.

A Python with `FOLDER` on its path from its start answers `greenlets_of`.
"""

import os
import signal
import tempfile
from pathlib import Path

from tests.processes import wait_until

COUNT = signal.SIGRTMIN + 8
FOLDER = Path(__file__).parent


def answer_file(pid: int) -> Path:
    """Return where a process writes its answer."""
    return Path(tempfile.gettempdir()) / f"weir-greenlets-{pid}"


def greenlets_of(pid: int) -> int:
    """Return how many greenlets live in a process, once garbage is gone."""
    file = answer_file(pid)
    file.unlink(missing_ok=True)
    os.kill(pid, COUNT)
    wait_until(file.exists, what=f"the greenlets of {pid}")
    count = int(file.read_text())
    file.unlink()
    return count
