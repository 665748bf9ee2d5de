"""Read by every Python at its start when this folder is on its path: signals that do harm.

The handlers run in the main thread, between two bytecodes of whatever the loop does.
"""

import signal
import time

WEDGE = signal.SIGRTMIN + 5
GROW = signal.SIGRTMIN + 6
GROWN_BYTES = 100 * 1024 * 1024
_ballast = bytearray()
_pause = time.sleep  # later, gevent puts a sleep here that lets its loop go on


def _wedge(number: int, frame: object) -> None:
    """Live on and run Python code, while nothing else goes on."""
    while True:
        _pause(0.01)


def _grow(number: int, frame: object) -> None:
    """Use more memory, for good."""
    _ballast.extend(b"x" * GROWN_BYTES)


signal.signal(WEDGE, _wedge)
signal.signal(GROW, _grow)
