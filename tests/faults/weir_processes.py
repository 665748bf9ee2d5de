"""What the processes of a weir take from the system: memory, file descriptors, connections."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import process_tree

_PROC = Path("/proc")
_STATES = {"01": "ESTABLISHED", "08": "CLOSE_WAIT", "0A": "LISTEN"}


class Connection(NamedTuple):
    """One TCP socket of a process."""

    local_port: int
    remote_port: int
    state: str


class Taken(NamedTuple):
    """What some processes take together."""

    memory_mb: float
    descriptors: int
    close_wait: int


def taken(pids: Iterable[int]) -> Taken:
    """Look at processes now; one that has ended takes nothing."""
    pids = list(pids)
    held = [one for pid in pids for one in connections(pid)]
    return Taken(
        process_tree.memory_mb(pids),
        sum(len(_descriptors(pid)) for pid in pids),
        sum(one.state == "CLOSE_WAIT" for one in held),
    )


def connections(pid: int) -> list[Connection]:
    """Return the TCP sockets of a process (Linux)."""
    mine = set(_descriptors(pid))
    try:
        lines = (_PROC / str(pid) / "net/tcp").read_text().splitlines()[1:]
    except OSError:
        return []
    rows = (line.split() for line in lines)
    return [
        Connection(_port(row[1]), _port(row[2]), _STATES.get(row[3], row[3]))
        for row in rows
        if f"socket:[{row[9]}]" in mine
    ]


def _descriptors(pid: int) -> list[str]:
    """Return what the open file descriptors of a process lead to."""
    try:
        links = list((_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return []  # it has ended
    return [lead for link in links if (lead := _lead(link)) is not None]


def _lead(link: Path) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        return None  # it has been closed meanwhile


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
