"""Event streams that are opened and reset at once, as fast as it goes."""

from contextlib import suppress
from threading import Thread

from tests.hostile.attack import Attack, Site, reset

_CLIENTS = 4


def run(site: Site, most: int) -> None:
    """Open and reset streams from some threads; half of them wait for the head of the answer."""
    opened: list[int] = []
    threads = [
        Thread(target=lambda n=n: opened.append(_open(site, n, most))) for n in range(_CLIENTS)
    ]
    site.begin()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    site.note = f"{sum(opened)} streams"


def _open(site: Site, number: int, most: int) -> int:
    count = 0
    while site.goes_on() and count < most // _CLIENTS:
        path = f"/global/event?session=ses_{count}" if count % 2 else "/event"
        with suppress(OSError):
            sock = site.connect()
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: weir\r\n\r\n".encode())
            if number % 2:
                sock.recv(64)
            reset(sock)
            count += 1
    return count


ATTACK = Attack("streams opened and reset, {n} at most", run, full=20_000, small=1_000)
