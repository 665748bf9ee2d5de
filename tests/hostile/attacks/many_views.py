"""Event streams that each follow a session of their own, while a good session goes on."""

from tests.hostile.attack import Attack, Site, reset

_SESSION = "ses_%08x%04d"


def run(site: Site, count: int) -> None:
    """Open the streams, and read none of them."""
    opened = []
    kind = site.random.randrange(1 << 32)
    for number in range(count):
        sock = site.connect()
        path = f"/global/event?session={_SESSION % (kind, number)}"
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: weir\r\n\r\n".encode())
        if not sock.recv(12).endswith(b"200"):
            site.wrong.append("a stream is refused")
        opened.append(sock)
    site.begin()
    for _ in site.hold():
        pass
    site.end()
    for sock in opened:
        reset(sock)


ATTACK = Attack("{n} streams with a filter each", run, full=4_000, small=150, memory_mb=200.0)
