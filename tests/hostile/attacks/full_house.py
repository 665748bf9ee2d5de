"""Readers that take every place there is for an event stream, and read nothing."""

from contextlib import suppress

from tests.hostile.attack import Attack, Site, reset

_STREAM = b"GET /global/event HTTP/1.1\r\nHost: weir\r\n\r\n"
_PROBES = ("/global/health", "/weir/livez", "/weir/readyz")


def run(site: Site, count: int) -> None:
    """Take all places; meanwhile all but streams is served, and a stream is refused in words."""
    taken = site.crowd(count, _STREAM)
    site.begin()
    for _ in site.hold():
        reply = site.ask("GET", "/event")
        said = reply.body["data"]["message"] if reply.status == 503 else ""
        if "event streams, its limit" not in said or not reply.headers["Retry-After"]:
            site.wrong.append(f"a stream too many: {reply.status} {reply.body}")
        for path in _PROBES:
            if (status := site.ask("GET", path).status) != 200:
                site.wrong.append(f"GET {path}: {status}")
        session = site.ask("POST", "/session", {})
        if session.status != 200 or site.ask("GET", "/session").status != 200:
            site.wrong.append(f"POST /session: {session.status} {session.body}")
    for sock in taken:
        reset(sock)
    left = site.connect()
    with suppress(OSError):
        left.sendall(_STREAM)
        if not left.recv(12).endswith(b"200"):
            site.wrong.append("no stream can be had afterwards")
    reset(left)


ATTACK = Attack(
    "{n} streams where 200 have a place",
    run,
    full=2_000,
    small=0,  # takes a weir of its own
    flags=("--max-readers", "100"),
)
