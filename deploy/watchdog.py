"""The watchdog of `weir up`: restarts processes that hang, or that use too much memory.

A process hangs if its event loop sends no heartbeats (`bus.process.heart`), although the process
exists. Its memory is read from the kernel. The watchdog only ends the process: gunicorn's master
then starts a new worker, while the other workers continue, and the supervisor starts the main
process of a service again.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping, Sequence

from deploy.beats import Beats
from deploy.cooldown import Cooldown
from deploy.limits import Limits
from deploy.sample import ProcessUsage, usages
from deploy.sample_log import SampleLog
from deploy.supervisor import Service

log = logging.getLogger("weir.watchdog")

_SAMPLE_EVERY_S = 1.0
_START_FACTOR = 6.0
_STACK_S = 1.0
_LEAVE_S = 10.0
_MIB = 1024 * 1024


class Watchdog:
    """Measures all processes of the services once a second, and ends those over a limit.

    Args:
        services: the services to watch.
        beats: receives the heartbeats of their processes.
        limits: the limits for each process.
        samples: the file to which measurements and restarts are written.
    """

    def __init__(
        self, services: Sequence[Service], beats: Beats, limits: Limits, samples: SampleLog
    ) -> None:
        self._services = services
        self._beats = beats
        self._limits = limits
        self._samples = samples
        self._next_sample = 0.0
        self._cooldowns = {service.name: Cooldown() for service in services}
        self._kill_at: dict[int, float] = {}

    def tick(self, now: float) -> None:
        """Receive heartbeats, and once a second check all processes.

        Must be called several times a second.

        Args:
            now: the time in seconds, on the monotonic clock.
        """
        self._beats.look(now)
        if now < self._next_sample:
            return
        self._next_sample = now + _SAMPLE_EVERY_S
        known: set[int] = set()
        for service in self._services:
            if service.pid is not None:
                known |= self._inspect(service, service.pid, now)
        self._beats.keep_only(known)
        self._kill_at = {pid: at for pid, at in self._kill_at.items() if pid in known}

    def _inspect(self, service: Service, main: int, now: float) -> set[int]:
        watched = {main, *(pid for pid in self._beats.heard() if _belongs(pid, main))}
        used = {usage.pid: usage for usage in usages(main)}
        self._judge(service, watched, used, now)
        self._write(service.name, main, watched, used)
        return watched

    def _judge(
        self, service: Service, watched: set[int], used: Mapping[int, ProcessUsage], now: float
    ) -> None:
        for pid in sorted(watched):
            if pid in self._kill_at:
                if now >= self._kill_at[pid]:
                    _signal(pid, signal.SIGKILL)
            elif reason := self._hangs(pid):
                self._end(service, pid, reason, signal.SIGABRT, now + _STACK_S)
            elif reason := self._outgrown(service, used.get(pid), now):
                self._end(service, pid, reason, signal.SIGTERM, now + _LEAVE_S)

    def _hangs(self, pid: int) -> str:
        loop = self._beats.loop(pid)
        limit_s = self._limits.hang_s * (1 if loop.beaten else _START_FACTOR)
        if loop.silent_s <= limit_s:
            return ""
        what = "has been blocked" if loop.beaten else "has not started"
        silent = f"{loop.silent_s:.1f} s"
        return f"its event loop {what} for {silent} (limit {limit_s:g} s; see --hang-limit)"

    def _outgrown(self, service: Service, usage: ProcessUsage | None, now: float) -> str:
        limit = self._limits.memory_bytes
        if not limit or usage is None or usage.memory_bytes <= limit:
            return ""
        if not self._cooldowns[service.name].over(now):
            return ""
        used, most = usage.memory_bytes / _MIB, limit / _MIB
        return f"it uses {used:.0f} MiB of memory (limit {most:.0f} MiB; see --memory-limit)"

    def _end(
        self, service: Service, pid: int, reason: str, how: signal.Signals, kill_at: float
    ) -> None:
        who = service.name if pid == service.pid else f"a worker of the {service.name}"
        log.warning("restarting %s (pid %d): %s", who, pid, reason)
        self._samples.write({"service": service.name, "pid": pid, "restarted": reason})
        self._kill_at[pid] = kill_at
        _signal(pid, how)

    def _write(
        self, name: str, main: int, watched: set[int], used: Mapping[int, ProcessUsage]
    ) -> None:
        processes = [
            {**self._of_loop(pid, watched), **_of_usage(used.get(pid)), "pid": pid}
            for pid in sorted(watched | used.keys())
        ]
        self._samples.write(
            {
                "service": name,
                "pid": main,
                "memory_bytes": sum(usage.memory_bytes for usage in used.values()),
                "fds": sum(usage.fds for usage in used.values()),
                "processes": processes,
            }
        )

    def _of_loop(self, pid: int, watched: set[int]) -> dict[str, float]:
        if pid not in watched:
            return {}
        loop = self._beats.loop(pid)
        lag_s, loop.lag_s = loop.lag_s, 0.0
        return {"lag_ms": round(lag_s * 1000, 1), "silent_s": round(loop.silent_s, 1)}


def _of_usage(usage: ProcessUsage | None) -> dict[str, int]:
    return {} if usage is None else {"memory_bytes": usage.memory_bytes, "fds": usage.fds}


def _belongs(pid: int, main: int) -> bool:
    """Return whether a process exists, and is in the process group of the process `main`."""
    try:
        return os.getpgid(pid) == main
    except ProcessLookupError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        log.debug("the process %d has ended already, so it gets no signal", pid)
