"""Keeps a few services running: starts them, restarts those that end, and stops them all."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from bus.backoff import Backoff
from deploy.stop_signals import handle_stops

log = logging.getLogger("weir.up")

TICK_S = 0.1
_STEADY_S = 10.0
_BAD_SETTINGS = 2
_PR_SET_PDEATHSIG = 1


class Service:
    """A process that should always run.

    Args:
        name: for the log.
        argv: its command line.
        env: added to the environment.
        fds: file descriptors that it inherits.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._argv = list(argv)
        self._env = dict(env or {})
        self._fds = tuple(fds)
        self._process: subprocess.Popen[bytes] | None = None
        self._backoff = Backoff(0.5, 30.0)
        self._started_at = 0.0
        self._start_at = 0.0

    @property
    def pid(self) -> int | None:
        """The pid of the process, which leads a process group; None if it does not run."""
        return None if self._process is None else self._process.pid

    def tend(self, now: float) -> int | None:
        """Start the process if it is time to; return the exit status if it has just ended."""
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
            return None
        status = self._process.poll()
        if status is None:
            return None
        # A gunicorn master that was killed leaves its workers, which are in its process group.
        self.signal(signal.SIGKILL)
        pid, self._process = self._process.pid, None
        if now - self._started_at > _STEADY_S:
            self._backoff.reset()
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        self._rest(now, f"(pid {pid}) ended {how}")
        return status

    def _rest(self, now: float, why: str) -> None:
        wait_s = self._backoff.next_s()
        self._start_at = now + wait_s
        log.warning("%s %s; next start in %.1f s", self.name, why, wait_s)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and all processes that it has started."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except (ProcessLookupError, PermissionError):
                log.debug("%s is gone already", self.name)

    def ended(self) -> bool:
        """Return whether the process has ended, or was never started."""
        return self._process is None or self._process.poll() is not None

    def _start(self, now: float) -> None:
        try:
            # A session of its own: Ctrl-C only reaches the supervisor, which stops the services in
            # order.
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self._env},
                pass_fds=self._fds,
                start_new_session=True,
                preexec_fn=_die_along,
            )
        except OSError as error:
            # The interpreter is being replaced, or memory or processes are short for a while.
            self._rest(now, f"cannot be started ({error})")
            return
        self._started_at = now
        log.info("%s started, pid %d", self.name, self._process.pid)


class Supervisor:
    """Runs services until it is stopped.

    Args:
        services: started in this order, stopped in the reverse order.
        each_tick: functions to call about ten times a second.
        stop_s: how long the services may take to stop before they are killed.
    """

    def __init__(
        self,
        services: Sequence[Service],
        each_tick: Sequence[Callable[[], None]],
        stop_s: float,
    ) -> None:
        self._services = services
        self._stop_s = stop_s
        self._each_tick = each_tick
        self._stopping = False

    def run(self) -> int:
        """Run until SIGINT or SIGTERM, or until a service refuses its settings.

        Returns:
            The exit status: 0, or that of the service that refused.
        """
        handle_stops(self._stop)
        status = 0
        try:
            while not self._stopping and status == 0:
                status = self._tick()
                time.sleep(TICK_S)
        finally:
            self._end()
        return status

    def _tick(self) -> int:
        for service in self._services:
            if service.tend(time.monotonic()) == _BAD_SETTINGS:
                return _BAD_SETTINGS
        self._reap_orphans()
        for call in self._each_tick:
            call()
        return 0

    def _reap_orphans(self) -> None:
        """Wait for ended orphans, which become children of this process if it has PID 1."""
        services = {service.pid for service in self._services}
        while (ended := _ended_child()) is not None and ended not in services:
            os.waitpid(ended, os.WNOHANG)

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for service in reversed(self._services):
                service.signal(number)
            deadline = time.monotonic() + self._stop_s
            while time.monotonic() < deadline:
                if all(service.ended() for service in self._services):
                    return
                time.sleep(TICK_S / 4)


def _ended_child() -> int | None:
    """Return the pid of a child that has ended, without removing the child."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if found is None else found.si_pid


def _die_along() -> None:
    """Make the kernel end this process when its supervisor is killed (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
