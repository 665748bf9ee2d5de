"""Ports for servers under test, from a block that no other process is given.

A port found by binding port 0 is free only until the next outgoing connection or the next probe
takes it. These lie outside the range that the system picks from, and each process of a parallel
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

_PORTS = range(20_000, 30_000)
_SYSTEMS = Path("/proc/sys/net/ipv4/ip_local_port_range")
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
    for first in outside(_systems_ports())[::_BLOCK]:
        lock = (folder / str(first)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return _Block(lock, first)
    raise RuntimeError(f"every block of ports in {folder} is taken")


def outside(systems: range) -> range:
    """Return as many ports as `_PORTS` has that the system does not pick, if there are so many."""
    size = len(_PORTS)
    below, above = range(systems.start - size, systems.start), range(systems.stop, 65_536)
    apart = _PORTS[-1] < systems.start or _PORTS[0] >= systems.stop
    if not apart and below.start > 1024:
        return below
    return above[:size] if not apart and len(above) >= size else _PORTS


def _systems_ports() -> range:
    try:
        first, last = map(int, _SYSTEMS.read_text().split())
    except OSError:  # not a Linux: macOS and the BSDs pick from 49152 on
        first, last = 49_152, 65_535
    return range(first, last + 1)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
