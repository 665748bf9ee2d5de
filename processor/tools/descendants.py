"""Finds all processes that a process has started, and sends signals to them.

On Linux, a process that has made itself a "subreaper" becomes the parent of the orphans among its
descendants. So they stay below it in the tree of processes, even after a double fork or in a POSIX
session of their own.

This module only imports the standard library, since programs that must start quickly use it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Container
from typing import NamedTuple

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_PROC = "/proc"


def adopt_orphans() -> None:
    """Make this process a subreaper: the parent of all orphans among its descendants (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def adopts_orphans() -> bool:
    """Return whether this process is a subreaper."""
    found = ctypes.c_int(0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(found), 0, 0, 0)
    return bool(found.value)


def descendants(root: int) -> list[int]:
    """Return the ids of the running processes below `root`; an empty list without /proc."""
    return _below([root], _children())


def children() -> set[int]:
    """Return the ids of the running children of this process."""
    return {child.id for child in _children().get(os.getpid(), ())}


def orphans(known: Container[int]) -> list[int]:
    """Return the ids of the orphans that this process has adopted, and of those below them.

    A child of this process is an orphan if it is in another POSIX session, and is not `known`.
    """
    session, children = os.getsid(0), _children()
    adopted = [
        child.id
        for child in children.get(os.getpid(), ())
        if child.session != session and child.id not in known
    ]
    return adopted + _below(adopted, children)


class _Child(NamedTuple):
    id: int
    session: int


def _children() -> dict[int, list[_Child]]:
    """Return the running processes of this machine by the id of their parent."""
    children: dict[int, list[_Child]] = {}
    for name in _numbers():
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The program's name is in brackets and may itself contain blanks and brackets, so
            # split after the last bracket.
            fields = _read(f"{_PROC}/{name}/stat").rpartition(b")")[2].split()
            state, parent, _, session = fields[:4]
            if state not in (b"Z", b"X"):
                children.setdefault(int(parent), []).append(_Child(int(name), int(session)))
    return children


def _below(roots: list[int], children: dict[int, list[_Child]]) -> list[int]:
    found, unseen = list[int](), list(roots)
    while unseen:
        below = [child.id for child in children.get(unseen.pop(), ())]
        found += below
        unseen += below
    return found


def marked(marker: str) -> list[int]:
    """Return the ids of the processes that were started with an environment variable.

    `marker` is the variable in the form ``NAME=VALUE``.
    """
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
    """Send a signal to a process group; do nothing if it has ended or belongs to another user."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _numbers() -> list[str]:
    with contextlib.suppress(OSError):
        return [name for name in os.listdir(_PROC) if name.isdigit()]
    return []


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
