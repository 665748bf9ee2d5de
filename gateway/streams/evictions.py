"""The reasons why event streams end."""

from __future__ import annotations

import enum
from collections import Counter


class Cause(enum.Enum):
    """Why an event stream has ended. Clients see a TCP reset in every case except `DISPOSED`."""

    GONE = "gone"
    """The client closed or reset the connection."""
    STALLED = "stalled"
    """The client is reachable, but has read nothing for too long."""
    BLACK_HOLED = "black_holed"
    """The client is unreachable: its kernel no longer acknowledges any packet."""
    FLOODING = "flooding"
    """The client keeps sending data, which a client must not do on an open event stream."""
    FELL_OFF = "fell_off"
    """The client lagged too far: the worker no longer has all events or entities it missed."""
    DRAINED = "drained"
    """The worker is stopping."""
    KILLED = "killed"
    """The worker was killed; the worker that replaces it reports the streams as ended."""
    RESET = "reset"
    """An operator has ended the stream (`DELETE /weir/readers/{id}`)."""
    REVOKED = "revoked"
    """The access token that opened the stream was revoked or has expired."""
    DISPOSED = "disposed"
    """opencode's instance for the directory was disposed; only then a stream ends cleanly."""


def none_yet() -> Counter[str]:
    """Return a counter with 0 for every cause."""
    return Counter({cause.value: 0 for cause in Cause})
