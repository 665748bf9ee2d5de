"""The processes below one, their memory and their time, as the system tells them.

Memory is PSS where there is one (Linux): pages that processes share count once. Elsewhere it is
RSS by `ps`, which counts them once for each.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_IS_LINUX = sys.platform == "linux"
_CPUCLOCK_SCHED = 2
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")

MEMORY_IS = "PSS" if _IS_LINUX else "RSS"


class Process(NamedTuple):
    """One process."""

    pid: int
    parent: int
    command: str


def below(root: int) -> list[Process]:
    """Return the processes that descend from `root`, parents first."""
    processes = _processes()
    found, parents = [], {root}
    while more := [p for p in processes if p.parent in parents]:
        found += more
        parents = {p.pid for p in more}
    return found


def memory_mb(pids: Iterable[int]) -> float:
    """Return the memory of processes together, in MB of a million bytes."""
    if _IS_LINUX:
        return sum(map(_pss_kb, pids)) * 1024 / 1e6
    out = _ps("-o", "rss=", "-p", ",".join(map(str, pids)))
    return sum(map(int, out.split())) * 1024 / 1e6


def own_mb(pid: int) -> float:
    """Return the memory that a process has allocated, in MB of a million bytes.

    Libraries do not count, whose pages weigh more for each when fewer processes share them; only
    Linux tells them apart.
    """
    return _pss_kb(pid, "Pss_Anon:") * 1024 / 1e6 if _IS_LINUX else memory_mb([pid])


def socket_memory_mb() -> float:
    """Return what all TCP sockets of this machine hold in the kernel; 0 where it does not say."""
    try:
        lines = (_PROC / "net/sockstat").read_text().splitlines()
    except OSError:
        return 0.0
    tcp = next(line for line in lines if line.startswith("TCP:")).split()
    return int(tcp[tcp.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU time that processes have used so far; 0 where it is not known."""
    if not _IS_LINUX:
        return 0.0
    # The CPU clock of another process, as clock_getcpuclockid(3) makes it: /proc counts in ticks.
    return sum(time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED) for pid in pids)


def machine_cpu_s() -> float:
    """Return the CPU time that this whole machine has used so far; 0 where it is not known."""
    if not _IS_LINUX:
        return 0.0
    user, nice, system, _idle, _iowait, *interrupts = (
        int(ticks) for ticks in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + sum(interrupts)) * _TICK_S


def _pss_kb(pid: int, which: str = "Pss:") -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(which)), 0)


def _processes() -> list[Process]:
    if not _IS_LINUX:
        lines = (line.split(None, 2) for line in _ps("-A", "-o", "pid=,ppid=,args=").splitlines())
        return [Process(int(pid), int(parent), command) for pid, parent, command in lines]
    found = []
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append(Process(int(folder.name), int(_stat(folder.name)[1]), command))
            except OSError:
                continue  # it has ended meanwhile
    return found


def _stat(pid: int | str) -> list[str]:
    """Return the fields that follow the name of a process, which may hold anything."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=True).stdout
