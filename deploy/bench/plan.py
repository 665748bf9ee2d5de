"""The plan for the process with the readers: the first line of its input."""

from __future__ import annotations

from msgspec import Struct

from bus.origin import Origin


class BenchPlan(Struct, frozen=True):
    """The streams to open.

    Attributes:
        origin: the server, and the login to send.
        routes: of the streams; the readers are spread evenly over them.
        fast: how many readers read as fast as they can.
        stalled: how many readers read nothing.
        kept: how many of the fast readers keep all bytes, with times, for a later check; the
            others count bytes and look for the end.
        unix: the times in texts are Unix times; otherwise times of the monotonic clock.
    """

    origin: Origin
    routes: list[str]
    fast: int
    stalled: int = 0
    kept: int = 0
    unix: bool = False
