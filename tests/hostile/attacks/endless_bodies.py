"""Bodies without an end at routes that want no body."""

import socket
from contextlib import suppress
from threading import Thread

from tests.hostile.attack import Attack, Site

_PATHS = ("/event", "/weir/livez", "/global/health", "/global/event", "/metrics", "/weir/none")
_CHUNK = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"


def run(site: Site, count: int) -> None:
    """Send such bodies one after the other on each of `count` connections."""
    heads = [
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        for path in _PATHS
        for method in ("POST", "DELETE", "GET")
        if (method, path.rpartition("/")[2]) != ("GET", "event")
    ]
    site.random.shuffle(heads)
    threads = [Thread(target=_send, args=(site, heads[n:] + heads[:n])) for n in range(count)]
    site.begin()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(site: Site, heads: list[bytes]) -> None:
    turn = 0
    while site.goes_on():
        with suppress(OSError), site.connect() as sock:
            sock.sendall(heads[turn % len(heads)])
            turn += 1
            while site.goes_on():
                sock.sendall(_CHUNK)
            sock.shutdown(socket.SHUT_RDWR)


ATTACK = Attack("{n} bodies without an end", run, full=8, small=2)
