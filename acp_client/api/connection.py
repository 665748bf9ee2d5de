"""HTTP connections to a server, with deadlines, and their failures as text for the user."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator

from bus.origin import Origin

# If the server is silent, the socket's own timeout must come first: its error says more.
_SLACK = 1.25


class NoEnd(TimeoutError):
    """The server keeps sending bytes, but has not ended its answer in time."""


def connection_to(origin: Origin, timeout_s: float | None) -> http.client.HTTPConnection:
    """Return an HTTP connection, which is opened by its first request.

    Args:
        origin: the address of the server.
        timeout_s: how long the server may be silent; None: without a limit.
    """
    host, port = origin.host, origin.port
    if origin.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


@contextlib.contextmanager
def within(sock: socket.socket, seconds: float | None) -> Iterator[None]:
    """Shut a socket down if the ``with`` block that reads from it takes too long.

    The socket's own timeout is not enough: it begins again with each byte, and a server may send
    bytes for ever, for example endless headers or endless ``100 Continue`` responses.

    Args:
        sock: the socket that the block reads from.
        seconds: how long the block may take; it is cut after 1.25 times as long. None: no limit.

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
    except Exception:
        # If the socket was shut down here, `NoEnd` below is the true cause of any exception.
        if not over.is_set():
            raise
    finally:
        timer.cancel()
    if over.is_set():
        raise NoEnd(f"has not ended its answer after {seconds:g} s")


def in_words(error: Exception) -> str:
    """Return why a connection has failed, as text that continues the name of the server."""
    if isinstance(error, ConnectionRefusedError):
        return "refuses connections"
    if isinstance(error, TimeoutError):
        return str(error) if isinstance(error, NoEnd) else "has sent nothing within the time limit"
    return str(error) or type(error).__name__
