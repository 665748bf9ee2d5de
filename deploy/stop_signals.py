"""Handles the signals that stop `weir up`, also those that arrive while it is still starting."""

from __future__ import annotations

import signal
from collections.abc import Callable

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def hold_stops() -> None:
    """Block the stop signals until `handle_stops` is called.

    Otherwise a signal during an import could be lost: SIGINT raises an exception, which an import
    may ignore, and a process with PID 1 (in a container) ignores signals without a handler.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)


def handle_stops(stop: Callable[[int, object], None]) -> None:
    """Call `stop` for each stop signal from now on, and for those that were blocked."""
    for number in _STOPS:
        # A signal that is ignored at the start stays ignored: `nohup` and a shell's `&` ignore
        # SIGHUP and SIGINT, so that weir continues when the terminal is closed.
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
