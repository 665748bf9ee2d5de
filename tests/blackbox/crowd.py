"""Readers of the bad kind, many at once: sockets that hardly do a thing."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

# A kilobyte a second, in pieces: a pause of this process is not to look like a stall.
_SLICE_BYTES = 256
_PAUSE_S = 0.25
_WAIT_S = 20.0


def reader(host: str, port: int, path: str = "/global/event") -> socket.socket:
    """Open a stream and read nothing of it."""
    sock = socket.create_connection((host, port), timeout=_WAIT_S)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return sock


def reset_count(sockets: list[socket.socket]) -> int:
    """Return how many of them were ended by a reset, without reading anything."""
    poll = select.poll()
    for sock in sockets:
        poll.register(sock, 0)  # errors are told without being asked for
    return sum(bool(event & select.POLLERR) for _, event in poll.poll(0))


@contextmanager
def trickling(sockets: list[socket.socket]) -> Iterator[list[socket.socket]]:
    """Read 1 KB a second from each for the time of a ``with`` block; yields those that ended."""
    ended: list[socket.socket] = []
    over = threading.Event()

    def read() -> None:
        open_ones = list(sockets)
        for sock in open_ones:
            sock.setblocking(False)
        while not over.wait(_PAUSE_S):
            for sock in list(open_ones):
                if not _reads(sock):
                    open_ones.remove(sock)
                    ended.append(sock)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield ended
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
