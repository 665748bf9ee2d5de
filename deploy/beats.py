"""Receives the processes' signs of life: what each reported last, and how long ago."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from msgspec import Struct

from bus.process.heart import LAG, PID

_MESSAGE_BYTES = 4096
# More than that between two looks is our own absence: a suspended machine, a stopped supervisor.
_LONGEST_STEP_S = 1.0


class Loop(Struct):
    """What is known of one process's loop.

    Attributes:
        silent_s: since its last sign of life, as far as the supervisor was there to hear one.
        lag_s: the worst since it was last asked for.
        beaten: it has given a sign of life.
    """

    silent_s: float = 0.0
    lag_s: float = 0.0
    beaten: bool = False


class Beats:
    """Hears the hearts (`bus.process.heart`) of all processes.

    Silence is counted in steps, each no longer than `_LONGEST_STEP_S`: when everything stood
    still, the supervisor did too, and no process is at fault.

    Args:
        path: of the socket to make; a stale one is replaced.
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
        """Hear no more."""
        self._socket.close()
        with contextlib.suppress(OSError):  # gone, or its disk has become read-only
            self._path.unlink()

    def look(self, now: float) -> None:
        """Take in what has been said since the last look, and count the silence of the others."""
        step = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        for loop in self._loops.values():
            loop.silent_s += min(step, _LONGEST_STEP_S)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._hear(self._socket.recv(_MESSAGE_BYTES))

    def loop(self, pid: int) -> Loop:
        """Return what is known of a process; from now on its silence counts."""
        return self._loops.setdefault(pid, Loop())

    def heard(self) -> list[int]:
        """Return the pids of all processes that are known."""
        return list(self._loops)

    def keep_only(self, pids: set[int]) -> None:
        """Forget all other processes."""
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
