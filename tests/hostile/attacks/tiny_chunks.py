"""Bodies in chunks of one byte, at a route that wants a body."""

from contextlib import suppress
from threading import Thread

from tests.hostile.attack import Attack, Site

_HEAD = b"POST /session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNKS = b"1\r\n \r\n" * 10_000


def run(site: Site, count: int) -> None:
    """Send such a body on each of `count` connections, as fast as it is taken."""
    threads = [Thread(target=_send, args=(site,)) for _ in range(count)]
    site.begin()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(site: Site) -> None:
    while site.goes_on():
        with suppress(OSError), site.connect() as sock:
            sock.sendall(_HEAD)
            while site.goes_on():
                sock.sendall(_CHUNKS)


ATTACK = Attack("{n} bodies in 1-byte chunks", run, full=4, small=1)
