"""Frames of an upstream that are nearly right."""

import time

from tests.hostile.attack import RELAY, Attack, Site
from tests.hostile.mutations import frames, mutated, nested

_AT_ONCE = 1000
_LEVELS = (250, 260, 300, 960, 970, 1500, 20_000, 100_000)
_ARRIVES_S = 120.0


def run(site: Site, count: int) -> None:
    """Send them between the frames of the good readers, and see that the last one arrives."""
    reader = site.connect()
    reader.sendall(b"GET /global/event HTTP/1.1\r\nHost: weir\r\n\r\n")
    site.begin()
    whole = frames()
    for start in range(0, count, _AT_ONCE):
        some = range(min(_AT_ONCE, count - start))
        sent = (mutated(site.random, site.random.choice(whole)) for _ in some)
        site.ask("POST", "/inject", b"".join(b"\n\ndata: " + one + b"\n\n" for one in sent))
    site.ask("POST", "/inject", b"".join(map(_deep, _LEVELS)))
    got, end = b"", time.monotonic() + _ARRIVES_S
    while b'"evt_100000"' not in got and time.monotonic() < end:
        got = got[-1_000_000:] + reader.recv(1 << 20)
    reader.close()
    if b'"evt_100000"' not in got:
        site.wrong.append("an event of 100,000 levels did not arrive")
    for _ in site.hold():
        pass


def _deep(levels: int) -> bytes:
    info = b'{"id":"ses_d","metadata":%b}' % nested(levels)
    return (
        b'data: {"directory":"/srv/hostile","payload":{"id":"evt_%d","type":"session.updated",'
        b'"properties":{"sessionID":"ses_d","info":%b}}}\n\n' % (levels, info)
    )


ATTACK = Attack(
    "{n} frames of an upstream, mutated",
    run,
    full=20_000,
    small=400,
    modes=(RELAY,),
    upstream="tests.hostile.injector",
    most_ratio=3000,  # the deltas of the good readers stand in line behind the frames
)
