"""Noticing at once that the other end of a connection is gone, even with no traffic."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Callable
from typing import Any

import gevent

_READ = 1


class PeerWatch:
    """Calls back when the peer sends FIN or a reset.

    A client of a stream has nothing more to say; when it says something all the same (a
    pipelined request), it is alive, and the watch ends there.

    Args:
        sock: the connection, in non-blocking mode (gevent's sockets are).
        on_gone: called once, from the event loop: it must not block. It gets what is wrong with
            the connection, None after FIN.
    """

    def __init__(self, sock: socket.socket, on_gone: Callable[[OSError | None], None]) -> None:
        self._sock = sock
        self._on_gone = on_gone
        self._watcher: Any = gevent.get_hub().loop.io(sock.fileno(), _READ)
        self._watcher.start(self._readable)

    def close(self) -> None:
        """Stop watching."""
        self._watcher.stop()
        self._watcher.close()

    def _readable(self) -> None:
        broken: OSError | None = None
        try:
            said = peek(self._sock.fileno())
        except BlockingIOError:
            return
        except OSError as error:
            said, broken = b"", error
        self._watcher.stop()
        if not said:
            self._on_gone(broken)


def peek(fileno: int) -> bytes:
    """Look at the next byte, on the plain socket: gevent's would wait, and the loop must not."""
    plain = _socket.socket(fileno=fileno)
    try:
        return plain.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    finally:
        plain.detach()
