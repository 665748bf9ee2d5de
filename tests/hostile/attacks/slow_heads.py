"""Heads that come a byte at a time."""

from contextlib import suppress

from tests.hostile.attack import Attack, Site, reset

_HEAD = b"GET /global/health HTTP/1.1\r\nHost: x\r\nX-Slow: "


def run(site: Site, count: int) -> None:
    """Send a byte on each connection every quarter of a second."""
    slow = site.crowd(count)
    site.begin()
    for turn, _ in enumerate(site.hold(0.25)):
        byte = _HEAD[turn : turn + 1] or b"x"
        for sock in slow:
            with suppress(OSError):
                sock.sendall(byte)
    for sock in slow:
        reset(sock)


ATTACK = Attack("{n} heads by single bytes", run, full=2_000, small=100)
