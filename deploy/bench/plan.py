"""The plan for the process that reads: the first line of its input."""

from __future__ import annotations

from msgspec import Struct

from bus.origin import Origin


class BenchPlan(Struct, frozen=True):
    """The streams to open.

    Attributes:
        origin: the server, and the login to give.
        routes: of the streams, which readers take in turn.
        fast: how many read as fast as they can.
        stalled: how many read nothing.
        kept: how many of the fast ones keep all that comes, with its times, for a later check;
            the others count bytes and look for the end.
        unix: whether the times in texts are Unix times; otherwise of the monotonic clock.
    """

    origin: Origin
    routes: list[str]
    fast: int
    stalled: int = 0
    kept: int = 0
    unix: bool = False
