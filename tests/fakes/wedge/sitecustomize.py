"""Read by every Python at its start when this folder is on its path: signals that do harm.

The handlers run in the main thread, between two bytecodes of whatever the loop does.
"""

import signal

WEDGE = signal.SIGRTMIN + 5
GROW = signal.SIGRTMIN + 6
GROWN_BYTES = 100 * 1024 * 1024
_ballast = bytearray()


def _wedge(number: int, frame: object) -> None:
    """Live on and compute, while nothing else goes on."""
    while True:
        pass


def _grow(number: int, frame: object) -> None:
    """Use more memory, for good."""
    _ballast.extend(b"x" * GROWN_BYTES)


signal.signal(WEDGE, _wedge)
signal.signal(GROW, _grow)
