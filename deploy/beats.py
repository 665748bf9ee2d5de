"""Receives the reports of the processes that their loops turn, and measures their silence."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from msgspec import Struct

from bus.process.heart import LAG, PID

_MESSAGE_BYTES = 4096
# A longer time between two calls is the supervisor's own absence: the machine was suspended, or
# the supervisor was stopped.
_LONGEST_STEP_S = 1.0


class Loop(Struct):
    """The state of one process's loop.

    Attributes:
        silent_s: since its last report, without the supervisor's own absences.
        lag_s: the largest since it was last read.
        beaten: it has reported at least once.
    """

    silent_s: float = 0.0
    lag_s: float = 0.0
    beaten: bool = False


class Beats:
    """Receives the reports of all processes (`bus.process.heart`).

    Silence is counted in steps of at most `_LONGEST_STEP_S`: if the whole machine stood still, the
    supervisor did too, and no process has failed.

    Args:
        path: of the socket to make; an old one is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loops: dict[int, Loop] = {}
        self._looked_at: float | None = None
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(OSError):  # the socket is gone, or its disk has become read-only
            self._path.unlink()

    def look(self, now: float) -> None:
        """Receive all reports, and count the silence of all other processes."""
        step = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        for loop in self._loops.values():
            loop.silent_s += min(step, _LONGEST_STEP_S)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._hear(self._socket.recv(_MESSAGE_BYTES))

    def loop(self, pid: int) -> Loop:
        """Return the loop of a process; from now on its silence counts."""
        return self._loops.setdefault(pid, Loop())

    def heard(self) -> list[int]:
        """Return the pids of all processes that have reported or are watched."""
        return list(self._loops)

    def keep_only(self, pids: set[int]) -> None:
        """Drop all other processes."""
        for pid in self._loops.keys() - pids:
            del self._loops[pid]

    def _hear(self, message: bytes) -> None:
        words = dict(
            line.split("=", 1)
            for line in message.decode(errors="replace").split("\n")
            if "=" in line
        )
        if words.get("WATCHDOG") != "1":
            return
        try:
            pid, lag_s = int(words[PID]), float(words[LAG]) / 1000
        except (KeyError, ValueError):
            return
        loop = self.loop(pid)
        loop.silent_s, loop.beaten = 0.0, True
        loop.lag_s = max(loop.lag_s, lag_s)
