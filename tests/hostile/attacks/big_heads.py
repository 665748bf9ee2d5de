"""Heads larger than any that is allowed, in small pieces, and never whole."""

import time
from contextlib import suppress

from tests.hostile.attack import Attack, Site, reset

_LINE = b"X-Big: " + b"y" * 900 + b"\r\n"
_PIECES = 64
"""For each connection 60 KB: just within what is allowed."""


def run(site: Site, count: int) -> None:
    """Bring all to the largest size that is allowed, then go on slowly."""
    big = site.crowd(count)
    site.begin()
    for sock in big:
        with suppress(OSError):
            sock.sendall(b"GET /global/health HTTP/1.1\r\nHost: x\r\n")
    for turn in range(1500):
        for sock in big:
            with suppress(OSError):
                sock.sendall(_LINE)
        if turn > _PIECES:
            time.sleep(0.05)
        if not site.goes_on():
            break
    for sock in big:
        reset(sock)


ATTACK = Attack("{n} heads of 1.5 MB", run, full=300, small=20, memory_mb=100)
