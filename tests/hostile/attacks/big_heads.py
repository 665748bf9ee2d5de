"""Heads larger than any that is allowed, in small pieces, and never whole."""

import time
from contextlib import suppress

from tests.hostile.attack import Attack, Site, reset

_LINE = b"X-Big: " + b"y" * 1900 + b"\r\n"


def run(site: Site, count: int) -> None:
    """Send them in pieces, one piece of each after the other."""
    big = site.crowd(count)
    site.begin()
    for sock in big:
        with suppress(OSError):
            sock.sendall(b"GET /global/health HTTP/1.1\r\nHost: x\r\n")
    for _ in range(1500):
        for sock in big:
            with suppress(OSError):
                sock.sendall(_LINE)
        time.sleep(0.1)
        if not site.goes_on():
            break
    for sock in big:
        reset(sock)


ATTACK = Attack("{n} heads of 1.5 MB", run, full=300, small=20, memory_mb=100)
