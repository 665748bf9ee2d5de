"""Event streams whose requests are as long as they may be."""

from tests.hostile.attack import Attack, Site, hold_streams

_HEAD_BYTES = 62_000
_SESSIONS, _ID_CHARACTERS = 256, 32


def run(site: Site, count: int) -> None:
    """Open streams, and hold them."""
    hold_streams(site, map(_head, range(count)))


def _head(number: int) -> str:
    ids = "&".join(f"session={number:08x}{n:0{_ID_CHARACTERS - 8}x}" for n in range(_SESSIONS))
    head = f"GET /global/event?{ids} HTTP/1.1\r\nHost: weir\r\nX-Filler: "
    return f"{head}{'x' * (_HEAD_BYTES - len(head))}\r\n\r\n"


ATTACK = Attack(
    "{n} streams with heads of 62 KB",
    run,
    full=1000,
    small=80,
    memory_mb=66.0,  # 64 KiB a stream; more than half are the ids of its sessions
)
