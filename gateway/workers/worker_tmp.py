"""Keeps a file of gunicorn in memory: its time tells the master that a worker is alive.

By itself, gunicorn creates this file in the temporary folder. A container with a read-only root
has no such folder, and on a disk each update of the time may block the worker.
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
    """Let gunicorn create this file in memory, if the system has such files (Linux)."""
    if hasattr(os, "memfd_create"):
        base.WorkerTmp = _InMemory
