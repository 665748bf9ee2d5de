"""Notices at once that the peer of a connection has left, even if no bytes are written."""

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
    """The peer has sent more than `MOST_DISCARDED` bytes on a connection that only gets bytes."""


class PeerWatch:
    """Calls back when the peer sends FIN or a reset.

    If the peer sends bytes, they stay in the socket for the next request. A later FIN or reset
    cannot be seen behind these bytes, so the watch ends when they come.

    Args:
        sock: the connection, in non-blocking mode (as gevent's sockets are).
        on_gone: called once, from the event loop, so it must not block. The argument is the error
            of the connection, None after FIN.
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
        """Return True if the peer has sent bytes, False if it has sent FIN."""
        said = look(self._sock)
        if said:
            self._watcher.stop()
        return bool(said)


class DeafWatch(PeerWatch):
    """A `PeerWatch` that reads and discards the peer's bytes, so that it sees every FIN and reset.

    After more than `MOST_DISCARDED` bytes, `on_gone` is called with `Flooding`.

    Attributes:
        discarded: how many bytes were discarded so far.
    """

    discarded = 0

    def _hears(self) -> bool:
        said = _receive(self._sock.fileno(), _DISCARDED_AT_ONCE)
        self.discarded += len(said)
        if self.discarded > MOST_DISCARDED:
            raise Flooding(
                f"the client has sent more than {MOST_DISCARDED} bytes on an open event stream"
            )
        return bool(said)


def peek(fileno: int) -> bytes:
    """Return the next byte of a plain socket, and leave the byte in the socket's buffer.

    Empty after FIN. Raises `BlockingIOError` if no byte is there.
    """
    return _receive(fileno, 1, _socket.MSG_PEEK)


def look(sock: socket.socket) -> bytes:
    """Return the next byte from the peer (decrypted if the socket has TLS), and leave it there.

    Empty after FIN. Raises `BlockingIOError` if no byte is there.
    """
    return sock.peek() if isinstance(sock, TlsSocket) else peek(sock.fileno())


def has_left(sock: socket.socket) -> bool:
    """Return whether the peer of a connection has sent FIN or a reset, or has timed out."""
    try:
        return not look(sock)
    except BlockingIOError:
        return False
    except OSError:
        return True


def shut_down(sock: socket.socket, how: int) -> None:
    """Shut down a socket below TLS: a TLS shutdown would first wait for the peer's answer.

    Raises:
        OSError: the connection is broken.
    """
    plain = _socket.socket(fileno=sock.fileno())
    try:
        plain.shutdown(how)
    finally:
        plain.detach()


def _receive(fileno: int, size: int, flags: int = 0) -> bytes:
    """Receive without waiting. gevent's socket would wait, and the event loop must not."""
    plain = _socket.socket(fileno=fileno)
    try:
        return plain.recv(size, flags | _socket.MSG_DONTWAIT)
    finally:
        plain.detach()
