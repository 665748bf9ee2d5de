"""Event streams that go on after ids that name nothing, where all that is known has to be told."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread

from tests.hostile.attack import NATIVE, Attack, Site, reset

_CLIENTS = 4
_ID = re.compile(rb"\nid: ([^:\n]+):\d+\n")


def run(site: Site, count: int) -> None:
    """Have weir know `count` sessions, then resume streams and reset them as fast as it goes."""
    with ThreadPoolExecutor(_CLIENTS) as threads:
        asked = [{"title": f"{number:0500}"} for number in range(count)]
        made = list(threads.map(lambda body: site.ask("POST", "/session", body).body["id"], asked))
    epoch = _epoch(site)
    places = ("0", "0~1", "1-9.3@0", "9" * 18)
    ids = ["x", "other:5", *(f"{epoch}:{place}" for place in places)]
    opened = [0] * _CLIENTS
    threads_of = [Thread(target=_resume, args=(site, n, ids, opened)) for n in range(_CLIENTS)]
    site.begin()
    for thread in threads_of:
        thread.start()
    for thread in threads_of:
        thread.join()
    site.end()
    site.note = f"{sum(opened)} streams"
    with ThreadPoolExecutor(_CLIENTS) as threads:
        list(threads.map(lambda one: site.ask("DELETE", f"/session/{one}"), made))


def _epoch(site: Site) -> str:
    with site.connect() as sock:
        sock.sendall(b"GET /global/event HTTP/1.1\r\nHost: weir\r\n\r\n")
        said = b""
        while (found := _ID.search(said)) is None:
            said += sock.recv(65536)
    return found[1].decode()


def _resume(site: Site, number: int, ids: list[str], opened: list[int]) -> None:
    while site.goes_on():
        given = ids[opened[number] % len(ids)]
        head = f"GET /global/event HTTP/1.1\r\nHost: weir\r\nLast-Event-ID: {given}\r\n\r\n"
        with suppress(OSError), site.connect() as sock:
            sock.sendall(head.encode())
            sock.recv(64)
            reset(sock)
            opened[number] += 1


ATTACK = Attack(
    "resumes after odd ids, {n} sessions known",
    run,
    full=2_000,
    small=0,  # a ledger that holds little is told in no time
    usual=1_000,
    modes=(NATIVE,),
    memory_mb=200.0,
    kept_mb=150.0,
)
