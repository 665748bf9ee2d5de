"""What the process that opens the event streams should do, sent as the first line of its input."""

from __future__ import annotations

from msgspec import Struct

from bus.origin import Origin


class BenchPlan(Struct, frozen=True):
    """The event streams to open.

    Attributes:
        origin: the address of the server, and the login to send.
        routes: the routes of the streams; each route gets the same number of readers.
        fast: how many readers read as fast as they can.
        stalled: how many readers never read, as a client that hangs.
        kept: how many of the fast readers keep all bytes with their times, to check them later;
            the others only count bytes and look for the marker.
        unix: True: times in the texts of deltas are Unix times; False: monotonic times.
    """

    origin: Origin
    routes: list[str]
    fast: int
    stalled: int = 0
    kept: int = 0
    unix: bool = False
