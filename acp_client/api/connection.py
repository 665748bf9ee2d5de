"""A connection to a server, and its failures in words."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator

from bus.origin import Origin

_SLACK = 1.25  # so that the socket's own timeout comes first if the server is silent


class NoEnd(TimeoutError):
    """A server sends bytes, but never ends its answer."""


def connection_to(origin: Origin, timeout_s: float | None) -> http.client.HTTPConnection:
    """Return a connection that opens with its first request; `timeout_s` None: no limit."""
    host, port = origin.host, origin.port
    if origin.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


@contextlib.contextmanager
def within(sock: socket.socket, seconds: float | None) -> Iterator[None]:
    """Cut the connection of a socket when the ``with`` block takes too long.

    The socket's own timeout begins again with each byte, and a server may send bytes for ever: a
    header without an end, or one ``100 Continue`` after another.

    Args:
        sock: the socket that the block reads.
        seconds: how long the block may take (25% more are granted); None: no limit.

    Raises:
        NoEnd: the block took too long.
    """
    if seconds is None:
        yield
        return
    over = threading.Event()

    def cut() -> None:
        over.set()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds * _SLACK, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:  # a head that was cut may look like a whole head
        if not over.is_set():
            raise
    finally:
        timer.cancel()
    if over.is_set():
        raise NoEnd(f"has not ended its answer after {seconds:g} s")


def in_words(error: Exception) -> str:
    """Describe a failed connection."""
    if isinstance(error, ConnectionRefusedError):
        return "refuses connections"
    if isinstance(error, TimeoutError):
        return str(error) if isinstance(error, NoEnd) else "is silent"
    return str(error) or type(error).__name__
