"""Ports for servers under test, from a block that no other process is given.

A port found by binding port 0 is free only until the next outgoing connection or the next probe
takes it. These lie below the range that the system picks from, and each process of a parallel
run, and each of several runs on one machine, holds a block of its own.
"""

import fcntl
import functools
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_FIRST, _LAST = 20_000, 30_000
_BLOCK = 200


def free_port() -> int:
    """Return a port nobody listens on, and nobody else will."""
    return next(port for port in _block().ports if _is_free(port))


class _Block:
    """Some ports, for as long as the process lives."""

    def __init__(self, lock: IO[str], first: int) -> None:
        self._lock = lock
        self.ports: Iterator[int] = itertools.cycle(range(first, first + _BLOCK))


@functools.cache
def _block() -> _Block:
    folder = Path(tempfile.gettempdir()) / f"weir-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for first in range(_FIRST, _LAST, _BLOCK):
        lock = (folder / str(first)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return _Block(lock, first)
    raise RuntimeError(f"every block of ports in {folder} is taken")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
