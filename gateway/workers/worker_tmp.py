"""The file whose time shows gunicorn's master that a worker is alive, kept in memory.

Gunicorn makes this file in the temporary folder. A container with a read-only root has none, and
on a disk each sign of life may wait for that disk.
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
    """Have gunicorn use memory, where the system can name it (Linux)."""
    if hasattr(os, "memfd_create"):
        base.WorkerTmp = _InMemory
