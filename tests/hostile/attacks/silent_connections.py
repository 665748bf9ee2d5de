"""Connections that never say a word."""

from tests.hostile.attack import Attack, Site, reset


def run(site: Site, count: int) -> None:
    """Open them, and wait."""
    silent = site.crowd(count)
    site.begin()
    for _ in site.hold():
        pass
    for sock in silent:
        reset(sock)


ATTACK = Attack("{n} silent connections", run, full=11_500, small=300)
