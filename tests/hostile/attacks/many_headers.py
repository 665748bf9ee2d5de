"""Heads with as many headers as there is room for."""

from contextlib import suppress
from threading import Thread

from tests.hostile.attack import Attack, Site

_TAKEN, _REFUSED = b"a:b\r\n" * 1_900, b"a:b\r\n" * 13_000


def run(site: Site, count: int) -> None:
    """Send such heads one after the other on each of `count` connections."""
    threads = [Thread(target=_send, args=(site, n)) for n in range(count)]
    site.begin()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(site: Site, number: int) -> None:
    path = ("/global/health", "/session")[number % 2].encode()
    headers = (_TAKEN, _TAKEN, _TAKEN, _REFUSED)[number % 4]
    while site.goes_on():
        with suppress(OSError), site.connect() as sock:
            while site.goes_on():
                sock.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (path, headers))
                if not sock.recv(65536):
                    break


ATTACK = Attack("{n} clients with 1,900 or 13,000 headers each", run, full=8, small=2)
