"""Notices at once that the other end of a connection is gone, even without traffic."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Callable
from typing import Any

import gevent

from gateway.door.tls_socket import TlsSocket

_READ = 1
_DISCARDED_AT_ONCE = 16 * 1024
MOST_DISCARDED = 64 * 1024


class Flooding(OSError):
    """The peer keeps sending, though nothing it sends is read."""


class PeerWatch:
    """Calls back when the peer sends FIN or a reset.

    Bytes from the peer are left for the next read of the connection. They show that the peer is
    alive, and hide a later FIN or reset, so the watch ends with them.

    Args:
        sock: the connection, in non-blocking mode (as gevent's sockets are).
        on_gone: called once, from the event loop, so it must not block. It gets the error of the
            connection, None after FIN.
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
            if self._hears():
                return
        except BlockingIOError:
            return
        except OSError as error:
            broken = error
        self._watcher.stop()
        self._on_gone(broken)

    def _hears(self) -> bool:
        """Return whether the peer has sent bytes; if not, it has sent FIN."""
        said = look(self._sock)
        if said:
            self._watcher.stop()
        return bool(said)


class DeafWatch(PeerWatch):
    """Watches a peer to its end: its bytes are read and discarded.

    A peer that sends more than `MOST_DISCARDED` bytes ends with `Flooding`.

    Attributes:
        discarded: bytes so far.
    """

    discarded = 0

    def _hears(self) -> bool:
        said = _receive(self._sock.fileno(), _DISCARDED_AT_ONCE)
        self.discarded += len(said)
        if self.discarded > MOST_DISCARDED:
            raise Flooding(f"the peer has sent more than {MOST_DISCARDED} bytes")
        return bool(said)


def peek(fileno: int) -> bytes:
    """Return the next byte, and leave it in the socket's buffer."""
    return _receive(fileno, 1, _socket.MSG_PEEK)


def look(sock: socket.socket) -> bytes:
    """Look at the next byte that the peer has sent, without TLS around it."""
    return sock.peek() if isinstance(sock, TlsSocket) else peek(sock.fileno())


def has_left(sock: socket.socket) -> bool:
    """Return whether the other end of a connection is gone, or has sent FIN."""
    try:
        return not look(sock)
    except BlockingIOError:
        return False
    except OSError:
        return True


def shut_down(sock: socket.socket, how: int) -> None:
    """Shut the plain socket down: a TLS socket would say goodbye first, and wait for the answer.

    Raises:
        OSError: the connection is broken.
    """
    plain = _socket.socket(fileno=sock.fileno())
    try:
        plain.shutdown(how)
    finally:
        plain.detach()


def _receive(fileno: int, size: int, flags: int = 0) -> bytes:
    """Receive without waiting, by the plain socket: gevent's would wait, and the loop must not."""
    plain = _socket.socket(fileno=fileno)
    try:
        return plain.recv(size, flags | _socket.MSG_DONTWAIT)
    finally:
        plain.detach()
