"""Why streams end."""

from __future__ import annotations

import enum
from collections import Counter


class Cause(enum.Enum):
    """Why one stream has ended; as a client sees it, all but `DISPOSED` end by a reset."""

    GONE = "gone"
    """Its peer left: FIN, or a reset."""
    STALLED = "stalled"
    """Its peer is there, and has accepted no byte for too long."""
    BLACK_HOLED = "black_holed"
    """Its peer acknowledges nothing any more."""
    FLOODING = "flooding"
    """Its peer goes on sending, though a client has nothing to send on an open event stream."""
    FELL_OFF = "fell_off"
    """It fell off the log, and neither log nor ledger holds what it missed."""
    DRAINED = "drained"
    """Its worker stops."""
    KILLED = "killed"
    """Its worker was killed; the others count it."""
    RESET = "reset"
    """A person reset it (`DELETE /weir/readers/{id}`)."""
    DISPOSED = "disposed"
    """Its instance was disposed; the only clean end."""


def none_yet() -> Counter[str]:
    """Return the count of every cause, by its name."""
    return Counter({cause.value: 0 for cause in Cause})
