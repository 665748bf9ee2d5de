"""Event streams whose requests are as long as they may be."""

from tests.hostile.attack import Attack, Site, reset

_HEAD_BYTES = 62_000
_SESSIONS, _ID_CHARACTERS = 250, 120


def run(site: Site, count: int) -> None:
    """Open streams, and hold them."""
    opened = []
    for number in range(count):
        sock = site.connect()
        ids = "&".join(f"session={number:08x}{n:0{_ID_CHARACTERS - 8}x}" for n in range(_SESSIONS))
        head = f"GET /global/event?{ids} HTTP/1.1\r\nHost: weir\r\nX-Filler: "
        filler = "x" * (_HEAD_BYTES - len(head))
        sock.sendall(f"{head}{filler}\r\n\r\n".encode())
        if not sock.recv(12).endswith(b"200"):
            site.wrong.append("a stream is refused")
        opened.append(sock)
    site.begin()
    for _ in site.hold():
        pass
    site.end()
    for sock in opened:
        reset(sock)


ATTACK = Attack(
    "{n} streams with heads of 62 KB",
    run,
    full=1000,
    small=80,
    memory_mb=66.0,  # 64 KiB a stream; two thirds are the ids of its sessions
)
