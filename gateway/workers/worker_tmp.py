"""The file whose time shows gunicorn's master that a worker is alive, kept in memory.

Gunicorn makes this file in the temporary folder. A container with a read-only root has no such
folder, and on a disk each update of the time may wait for the disk.
"""

from __future__ import annotations

import os
from typing import Any

from gunicorn.workers import base
from gunicorn.workers.workertmp import WorkerTmp


class _InMemory(WorkerTmp):  # type: ignore[misc]
    def __init__(self, _cfg: Any) -> None:
        self._tmp = os.fdopen(os.memfd_create("weir-worker"), "w+b", 0)


def keep_in_memory() -> None:
    """Make gunicorn use memory, if the system has files in memory (Linux)."""
    if hasattr(os, "memfd_create"):
        base.WorkerTmp = _InMemory
