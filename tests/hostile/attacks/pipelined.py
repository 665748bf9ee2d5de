"""Requests sent without waiting for an answer, and answers that nobody reads."""

from contextlib import suppress
from threading import Thread

from tests.hostile.attack import Attack, Site

_REQUESTS = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 500


def run(site: Site, count: int) -> None:
    """Half of the clients read what they are sent, the others never do."""
    threads = [Thread(target=_send, args=(site, n % 2 == 0)) for n in range(count)]
    site.begin()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(site: Site, reads: bool) -> None:
    while site.goes_on():
        with suppress(OSError), site.connect(timeout_s=0.5) as sock:
            while site.goes_on():
                sock.sendall(_REQUESTS)
                while reads and sock.recv(1 << 20):
                    sock.setblocking(False)
                sock.settimeout(0.5)


ATTACK = Attack("{n} clients that pipeline", run, full=20, small=2)
