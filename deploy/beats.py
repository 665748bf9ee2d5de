"""Receives the heartbeats of all processes, and measures for how long each process is silent.

A heartbeat is sent by the event loop of a process, so a process whose loop is blocked sends none.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from msgspec import Struct

from bus.process.heart import LAG, PID

_MESSAGE_BYTES = 4096
# If more time passes between two calls of `look`, the supervisor itself did not run: the machine
# was suspended, or the supervisor was stopped. Then the other processes did not run either.
_LONGEST_STEP_S = 1.0


class Loop(Struct):
    """The state of the event loop of one process.

    Attributes:
        silent_s: the seconds since its last heartbeat, without the time in which the supervisor
            itself did not run.
        lag_s: the largest lag that the loop has reported since this value was last reset.
        beaten: whether the loop has sent a heartbeat since the process started.
    """

    silent_s: float = 0.0
    lag_s: float = 0.0
    beaten: bool = False


class Beats:
    """Receives the heartbeats of all processes (`bus.process.heart`) on a Unix socket.

    Silence is counted in steps of at most `_LONGEST_STEP_S`, so that a suspended machine does not
    make all processes look as if they hang.

    Args:
        path: the path of the socket to make; an old socket is replaced.
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
        # The socket may be removed already, or its file system may have become read-only.
        with contextlib.suppress(OSError):
            self._path.unlink()

    def look(self, now: float) -> None:
        """Receive all heartbeats that have arrived, and count the silence of all processes.

        Args:
            now: the time in seconds, on the monotonic clock.
        """
        step = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        for loop in self._loops.values():
            loop.silent_s += min(step, _LONGEST_STEP_S)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._hear(self._socket.recv(_MESSAGE_BYTES))

    def loop(self, pid: int) -> Loop:
        """Return the state of a process's loop; for a new process, silence counts from now on."""
        return self._loops.setdefault(pid, Loop())

    def heard(self) -> list[int]:
        """Return the pids of all processes that have sent a heartbeat, or that are watched."""
        return list(self._loops)

    def keep_only(self, pids: set[int]) -> None:
        """Forget all processes that are not in `pids`, because they have ended."""
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
