"""Events of an upstream that are larger than all that weir may hold."""

import socket
import time

from tests.hostile.attack import RELAY, Attack, Site, reset

_COUNT = 2
_ARRIVES_S = 120.0
_READY_S = 120.0


def run(site: Site, mb: int) -> None:
    """Have a reader get each whole, and readiness come back after the last."""
    reader = site.connect()
    reader.sendall(b"GET /event?directory=/srv/hostile HTTP/1.1\r\nHost: weir\r\n\r\n")
    time.sleep(1)
    site.begin()
    for _ in range(_COUNT):
        site.ask("POST", f"/inject/event?mb={mb}")
        if not _arrives(reader, mb * 1_000_000):
            site.wrong.append(f"an event of {mb} MB did not reach a reader")
            break
    for _ in site.hold():
        pass
    end = time.monotonic() + _READY_S
    while (ready := site.ask("GET", "/weir/readyz")).status != 200 and time.monotonic() < end:
        time.sleep(0.5)
    if ready.status != 200:
        site.wrong.append(f"not ready again: {ready.body['reasons']}")
    reset(reader)


def _arrives(reader: socket.socket, size: int) -> bool:
    end, got, last = time.monotonic() + _ARRIVES_S, 0, b""
    while got < size and time.monotonic() < end:
        piece = reader.recv(1 << 20)
        if not piece:
            return False
        got += len(piece)
        last = piece
    return got >= size and last != b""


ATTACK = Attack(
    f"{_COUNT} events of {{n}} MB",
    run,
    full=150,
    small=50,
    modes=(RELAY,),
    upstream="tests.hostile.injector",
    memory_mb=2500,
    most_ratio=1000,  # the deltas of the good readers stand in line behind the events
)
