"""Connections that come as fast as they can, and leave by a reset or are left open."""

from contextlib import suppress

from tests.hostile.attack import Attack, Site, reset

_LEFT_OPEN = 2


def run(site: Site, most: int) -> None:
    """Connect for as long as there is time; leave some open, `most` at once."""
    left = []
    site.begin()
    while site.goes_on():
        with suppress(OSError):
            sock = site.connect()
            if len(left) < most and site.random.randrange(_LEFT_OPEN):
                left.append(sock)
            else:
                reset(sock)
    for sock in left:
        reset(sock)


ATTACK = Attack("connections at full speed, {n} left open", run, full=3_000, small=100)
