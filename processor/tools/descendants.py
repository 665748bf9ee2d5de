"""Finds and ends all processes that a process has started. Only imports the standard library.

On Linux a process that is a subreaper becomes the parent of its orphans. So its descendants stay
below it in the tree of processes, even after a double fork or in a session of their own.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_CHILD_SUBREAPER = 36
_PROC = "/proc"


def adopt_orphans() -> None:
    """Make this process the parent of all orphans among its descendants (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root: int) -> list[int]:
    """Return the processes below `root` that have not ended; none if there is no /proc."""
    children: dict[int, list[int]] = {}
    for name in _numbers():
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name of a program is in brackets, and may contain blanks and brackets.
            state, parent = _read(f"{_PROC}/{name}/stat").rpartition(b")")[2].split()[:2]
            if state not in (b"Z", b"X"):
                children.setdefault(int(parent), []).append(int(name))
    found, unseen = [], [root]
    while unseen:
        below = children.get(unseen.pop(), [])
        found += below
        unseen += below
    return found


def marked(marker: str) -> list[int]:
    """Return the processes that had a variable in their environment at their start."""
    found = []
    for name in _numbers():
        with contextlib.suppress(OSError):
            if marker.encode() in _read(f"{_PROC}/{name}/environ").split(b"\0"):
                found.append(int(name))
    return found


def send(number: signal.Signals, processes: list[int]) -> None:
    """Send a signal to processes, except those that have ended or belong to other users."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


def send_to_group(number: signal.Signals, group: int) -> None:
    """Send a signal to a process group, if there is one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _numbers() -> list[str]:
    with contextlib.suppress(OSError):
        return [name for name in os.listdir(_PROC) if name.isdigit()]
    return []


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
