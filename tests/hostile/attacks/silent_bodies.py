"""Requests that announce a body and never send it."""

from tests.hostile.attack import Attack, Site, reset

_HEAD = b"POST /session HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


def run(site: Site, count: int) -> None:
    """Open them, and wait."""
    silent = site.crowd(count, _HEAD)
    site.begin()
    for _ in site.hold():
        pass
    for sock in silent:
        reset(sock)


ATTACK = Attack("{n} silent bodies", run, full=8_000, small=200)
