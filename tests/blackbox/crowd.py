"""Readers of the bad kind, many at once: sockets that hardly do a thing."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.processes import DEADLINE_S

# A kilobyte a second, in pieces: a pause of this process is not to look like a stall.
_SLICE_BYTES = 256
_PAUSE_S = 0.25


def reader(host: str, port: int, path: str = "/global/event") -> socket.socket:
    """Open a stream and read nothing of it."""
    sock = socket.create_connection((host, port), timeout=DEADLINE_S)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return sock


def reset_count(sockets: list[socket.socket]) -> int:
    """Return how many of them were ended by a reset, without reading anything."""
    poll = select.poll()
    for sock in sockets:
        poll.register(sock, 0)  # errors are told without being asked for
    return sum(bool(event & select.POLLERR) for _, event in poll.poll(0))


class Trickle:
    """Readers of 1 KB a second.

    Attributes:
        ended: the sockets that have ended.
        pause_s: the longest time between two reads; a busy machine may hold this process up.
    """

    def __init__(self) -> None:
        self.ended: list[socket.socket] = []
        self.pause_s = 0.0


@contextmanager
def trickling(sockets: list[socket.socket]) -> Iterator[Trickle]:
    """Read 1 KB a second from each socket for the time of a ``with`` block."""
    trickle = Trickle()
    over = threading.Event()

    def read() -> None:
        open_ones = list(sockets)
        for sock in open_ones:
            sock.setblocking(False)
        read_at = time.monotonic()
        while not over.wait(_PAUSE_S):
            trickle.pause_s = max(trickle.pause_s, time.monotonic() - read_at)
            read_at = time.monotonic()
            for sock in list(open_ones):
                if not _reads(sock):
                    open_ones.remove(sock)
                    trickle.ended.append(sock)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield trickle
    finally:
        over.set()
        thread.join()


def _reads(sock: socket.socket) -> bool:
    try:
        return bool(sock.recv(_SLICE_BYTES))
    except BlockingIOError:
        return True
    except OSError:
        return False


def close_all(sockets: list[socket.socket]) -> None:
    """Leave without waiting for what is in flight."""
    for sock in sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def now_ns() -> int:
    """Return a moment that threads of this process can compare."""
    return time.monotonic_ns()
