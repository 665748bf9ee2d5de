"""Runs the processes of `weir up`: starts them, restarts a process that ends, stops them all."""

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
    """A process that should always run, such as the processor or the gateway.

    Args:
        name: the name of the service, for the log.
        argv: the words of the command line.
        env: environment variables to add to those of this process.
        fds: the file descriptors that the process inherits.
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
        """The pid of the process, None if it does not run; it is also the id of its group."""
        return None if self._process is None else self._process.pid

    def tend(self, now: float) -> int | None:
        """Start the process if it does not run and the pause before a restart is over.

        Returns:
            The exit status if the process has just ended; otherwise None.
        """
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
            return None
        status = self._process.poll()
        if status is None:
            return None
        # If gunicorn's master was killed, its workers still run. They are in its process group, so
        # they are killed too before a new master starts.
        self.signal(signal.SIGKILL)
        pid, self._process = self._process.pid, None
        if now - self._started_at > _STEADY_S:
            self._backoff.reset()
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        self._pause(now, f"(pid {pid}) ended {how}")
        return status

    def _pause(self, now: float, why: str) -> None:
        wait_s = self._backoff.next_s()
        self._start_at = now + wait_s
        log.warning("%s %s; next start in %.1f s", self.name, why, wait_s)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and to the processes that it has started."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except (ProcessLookupError, PermissionError):
                log.debug("%s has ended already, so it gets no signal", self.name)

    def ended(self) -> bool:
        """Return whether the process has ended, or was never started."""
        return self._process is None or self._process.poll() is not None

    def _start(self, now: float) -> None:
        try:
            # Each service is in a session of its own, so that Ctrl-C reaches only the supervisor,
            # which then stops the services in order.
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self._env},
                pass_fds=self._fds,
                start_new_session=True,
                preexec_fn=_die_along,
            )
        except OSError as error:
            # This may pass: Python is being replaced by an update, or memory is short.
            self._pause(now, f"cannot be started ({error})")
            return
        self._started_at = now
        log.info("%s started, pid %d", self.name, self._process.pid)


class Supervisor:
    """Runs services until a signal stops this process.

    Args:
        services: the services; they are started in this order, and stopped in reverse order.
        each_tick: functions to call about ten times a second.
        stop_s: how many seconds the services may take to stop before they are killed.
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
        """Run until SIGINT, SIGTERM or SIGHUP, or until a service refuses its flags (status 2).

        Returns:
            The exit status: 0, or 2 if a service has refused its flags.
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
        """Remove orphans that have ended, so that they do not stay as zombies.

        If this process has PID 1 (in a container), orphans become its children.
        """
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
    """Return the pid of a child process that has ended, and leave its exit status in place."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if found is None else found.si_pid


def _die_along() -> None:
    """Have the kernel end this process when its parent, the supervisor, is killed (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
