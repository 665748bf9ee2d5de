"""Event streams that each follow a session of their own, while a good session goes on."""

from tests.hostile.attack import Attack, Site, hold_streams

_HEAD = "GET /global/event?session=ses_{kind:08x}{number:04d} HTTP/1.1\r\nHost: weir\r\n\r\n"


def run(site: Site, count: int) -> None:
    """Open the streams, and read none of them."""
    kind = site.random.randrange(1 << 32)
    hold_streams(site, (_HEAD.format(kind=kind, number=number) for number in range(count)))


ATTACK = Attack("{n} streams with a filter each", run, full=4_000, small=150, memory_mb=200.0)
