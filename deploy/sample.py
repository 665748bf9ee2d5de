"""Measures the memory and the open file descriptors of processes, from ``/proc`` (Linux).

Without ``/proc`` nothing is measured, and the watchdog judges processes only by their heartbeats.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessUsage(Struct, frozen=True):
    """What one process uses.

    Attributes:
        pid: the process id.
        memory_bytes: the proportional set size (PSS), which divides the size of a page that
            several workers share by their number; the resident set size if PSS cannot be read.
        fds: how many file descriptors are open.
    """

    pid: int
    memory_bytes: int
    fds: int


def usages(pid: int) -> list[ProcessUsage]:
    """Return what a process and its descendants use, the process itself first.

    Processes that have ended are left out.
    """
    return [usage for one in _family(pid) if (usage := _usage(one)) is not None]


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in _children(pid):
        yield from _family(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:
        return found  # the process has ended while its files in /proc were read
    return found


def _usage(pid: int) -> ProcessUsage | None:
    folder = _PROC / str(pid)
    try:
        return ProcessUsage(pid, _memory(folder), len(os.listdir(folder / "fd")))
    except OSError:
        return None


def _memory(folder: Path) -> int:
    try:
        for line in (folder / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except PermissionError:
        pass
    return int((folder / "statm").read_text().split()[1]) * _PAGE
