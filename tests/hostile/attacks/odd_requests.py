"""Generated requests at own and proxied routes: each is answered, or its connection ends."""

import re
import socket
from contextlib import suppress
from random import Random
from threading import Thread

from tests.hostile.attack import Attack, Site
from tests.hostile.requests import request

_CLIENTS = 16
_SPEAKS_WITHIN_S, _ENDS_WITHIN_S = 0.2, 120.0
_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) [^\r\n]*\r\n")
_HONEST = (b"501", b"502", b"504")
_ENOUGH = 4096


def run(site: Site, count: int) -> None:
    """Send so many requests, on a connection each."""
    seeds = [site.random.randrange(10**9) for _ in range(_CLIENTS)]
    threads = [Thread(target=_send, args=(site, seed, count // _CLIENTS)) for seed in seeds]
    site.begin()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(site: Site, seed: int, count: int) -> None:
    random = Random(seed)
    for _ in range(count):
        data = request(random)
        said = b""
        try:
            with site.connect(_ENDS_WITHIN_S) as sock:
                sock.sendall(data)
                said = _answer(sock)
        except TimeoutError:
            site.wrong.append(f"no answer and no end: {data[:200]!r}")
        except OSError:
            continue  # a reset is an end too
        status = _STATUS.match(said)
        if said and status is None:
            site.wrong.append(f"{data[:200]!r} is answered with {said[:100]!r}")
        elif status is not None and status[1] >= b"500" and status[1] not in _HONEST:
            site.wrong.append(f"{data[:200]!r} is answered with {said[:300]!r}")


def _answer(sock: socket.socket) -> bytes:
    """Return the head of an answer, or what is said until the end."""
    sock.settimeout(_SPEAKS_WITHIN_S)
    said = b""
    with suppress(TimeoutError):
        while b"\r\n\r\n" not in said:
            data = sock.recv(_ENOUGH)
            if not data:
                return said
            said += data
    if said:
        return said
    sock.settimeout(_ENDS_WITHIN_S)
    sock.shutdown(socket.SHUT_WR)
    return sock.recv(_ENOUGH)


ATTACK = Attack("{n} generated requests", run, full=50_000, small=1_500, usual=12_000)
