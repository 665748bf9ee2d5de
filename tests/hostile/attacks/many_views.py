"""Event streams that each follow a session of their own, while a good session goes on."""

from tests.hostile.attack import Attack, Site, hold_streams

_HEAD = "GET /global/event?{sessions} HTTP/1.1\r\nHost: weir\r\n\r\n"
_MANY_SESSIONS = 20


def run(site: Site, count: int) -> None:
    """Open the streams, and read none of them."""
    kind = site.random.randrange(1 << 32)
    hold_streams(site, (_head(kind, number) for number in range(count)))


def _head(kind: int, number: int) -> str:
    """Every fourth follows many sessions."""
    many = range(1 if number % 4 else _MANY_SESSIONS)
    return _HEAD.format(sessions="&".join(f"session=ses_{kind:08x}{number:04d}{n}" for n in many))


ATTACK = Attack("{n} streams with a filter each", run, full=4_000, small=150, memory_mb=200.0)
