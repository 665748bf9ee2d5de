"""Handles the signals that end `weir up`, in order and from its first moment on."""

from __future__ import annotations

import signal
from collections.abc import Callable

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def hold_stops() -> None:
    """Have signals wait until `handle_stops`.

    As an exception, a signal can end in an import that ignores exceptions. A PID 1 gets no signal
    that it has no handler for.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)


def handle_stops(stop: Callable[[int, object], None]) -> None:
    """Call `stop` for each signal, those that wait first."""
    for number in _STOPS:
        # nohup and a shell's `&` have some ignored, so that weir outlives a terminal.
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
