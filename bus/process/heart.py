"""Reports to a service manager that the event loop turns, and how late, by systemd's sd_notify.

The manager names a Unix datagram socket in ``NOTIFY_SOCKET``; the message ``WATCHDOG=1`` there
means that the process is alive. `weir up` is such a manager, and so is systemd for a service that
it runs directly.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

NOTIFY_VARIABLE = "NOTIFY_SOCKET"
LAG, PID = "X_WEIR_LAG_MS", "X_WEIR_PID"
BEAT_S = 0.1
_SAY_EVERY_S = 0.5


class Notifier:
    """Sends messages to a manager's socket; without an address it sends nothing.

    Args:
        address: a path, or ``@NAME`` for an abstract socket; empty for none.
    """

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def say(self, *lines: str) -> None:
        """Send assignments such as ``READY=1``, all in one message."""
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            # The manager is gone or slow. This must not stop the loop, and the manager notices
            # silence.
            return


class Heart:
    """Counts the turns of a loop, and reports them with the worst lag since the last report.

    Args:
        notifier: sends the reports.
        period_s: how long the loop sleeps between two turns; any longer time is lag.
        clock: monotonic, in seconds.

    Attributes:
        late_s: by how many seconds the last turn was late.
    """

    def __init__(
        self,
        notifier: Notifier,
        period_s: float = BEAT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.late_s = 0.0
        self._notifier = notifier
        self._period_s = period_s
        self._clock = clock
        self._last = clock()
        self._said_at = float("-inf")
        self._worst_s = 0.0

    def beat(self) -> None:
        """Count one turn of the loop."""
        now = self._clock()
        self.late_s = max(0.0, now - self._last - self._period_s)
        self._worst_s = max(self._worst_s, self.late_s)
        self._last = now
        if now - self._said_at >= _SAY_EVERY_S:
            lag = f"{LAG}={self._worst_s * 1000:.1f}"
            self._notifier.say("WATCHDOG=1", f"{PID}={os.getpid()}", lag)
            self._said_at, self._worst_s = now, 0.0
