"""Handles the signals that end `weir up`, from its first moment on."""

from __future__ import annotations

import signal
from collections.abc import Callable

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def hold_stops() -> None:
    """Let signals wait until `handle_stops`.

    Without this, a signal raises an exception, which may be lost in an import that ignores
    exceptions. And a process with PID 1 ignores every signal that has no handler.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)


def handle_stops(stop: Callable[[int, object], None]) -> None:
    """Call `stop` for each signal, including those that wait."""
    for number in _STOPS:
        # nohup and a shell's `&` have set some to be ignored, so that weir outlives a terminal.
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
