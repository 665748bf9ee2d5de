"""The causes for which streams end."""

from __future__ import annotations

import enum
from collections import Counter


class Cause(enum.Enum):
    """Why a stream has ended. Clients see a reset in every case except `DISPOSED`."""

    GONE = "gone"
    """The peer left: FIN, or a reset."""
    STALLED = "stalled"
    """The peer is reachable, but has accepted no byte for too long."""
    BLACK_HOLED = "black_holed"
    """The peer no longer acknowledges anything."""
    FLOODING = "flooding"
    """The peer keeps sending, though a client has nothing to send on an open event stream."""
    FELL_OFF = "fell_off"
    """The reader fell off the log, and neither log nor ledger contains what it missed."""
    DRAINED = "drained"
    """The worker is stopping."""
    KILLED = "killed"
    """The worker was killed; another worker counts its streams."""
    RESET = "reset"
    """A person has reset the stream (`DELETE /weir/readers/{id}`)."""
    REVOKED = "revoked"
    """Its token was revoked or has expired."""
    DISPOSED = "disposed"
    """The instance was disposed; only this stream ends cleanly, without a reset."""


def none_yet() -> Counter[str]:
    """Return a counter with 0 for every cause."""
    return Counter({cause.value: 0 for cause in Cause})
