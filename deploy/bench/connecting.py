"""Opens event streams on plain sockets: an HTTP client would cost too much for 10,000 of them."""

from __future__ import annotations

import resource
import socket
import ssl

from bus.origin import Origin

_DEADLINE_S = 20.0
_MOST_HEAD = 64 * 1024
_STALLED_BUFFER = 4096
_SPARE_DESCRIPTORS = 64


class NotOpened(Exception):
    """A stream could not be opened; the message says why, in one line."""


def make_room(streams: int) -> None:
    """Raise this process's limit of open files, so that it can open `streams` streams.

    Raises:
        NotOpened: the hard limit of the system is too low.
    """
    wanted = streams + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise NotOpened(
            f"{streams} streams need {wanted} open files, but the limit (`ulimit -Hn`) is {hard}; "
            "raise the limit, or choose fewer --readers"
        )
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Connector:
    """Opens event streams of one server.

    Args:
        origin: the address of the server, and the login to send.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._tls = ssl.create_default_context() if origin.scheme == "https" else None
        self._headers = f"Host: {origin.authority}\r\nAccept: text/event-stream\r\n"
        if origin.login is not None:
            self._headers += f"Authorization: {origin.login.basic}\r\n"

    def stream(self, route: str) -> tuple[socket.socket, bytes]:
        """Open a stream of the route.

        Returns:
            Its socket, and the bytes received so far: all headers, and perhaps first events.

        Raises:
            NotOpened: the server cannot be reached, or its answer is not an event stream.
        """
        try:
            sock = self._asked(route)
            head = b""
            while b"\r\n\r\n" not in head and len(head) < _MOST_HEAD:
                piece = sock.recv(_MOST_HEAD)
                if not piece:
                    raise NotOpened(
                        f"GET {route}: the server closed the connection before it answered"
                    )
                head += piece
        except OSError as error:
            raise NotOpened(f"GET {route}: {error or type(error).__name__}") from error
        lines = head.lower().partition(b"\r\n\r\n")[0]
        if not lines.startswith(b"http/1.1 200 ") or b"text/event-stream" not in lines:
            status = head.partition(b"\r\n")[0].decode(errors="replace")
            full = "; choose fewer --readers than its --max-readers" if b" 503 " in lines else ""
            raise NotOpened(
                f"GET {route}: the server answers {status!r} instead of an event stream{full}"
            )
        return sock, head

    def stalled(self, route: str) -> socket.socket:
        """Open a stream that is never read, as by a client that hangs.

        The receive buffer is as small as the system allows, so that the server soon cannot write.
        The call returns when the answer has begun: from then on the server counts the reader.
        """
        try:
            sock = self._asked(route, _STALLED_BUFFER)
            sock.recv(1, 0 if self._tls else socket.MSG_PEEK)
        except OSError as error:
            raise NotOpened(f"GET {route}: {error or type(error).__name__}") from error
        return sock

    def _asked(self, route: str, buffer: int | None = None) -> socket.socket:
        host, port = self._origin.host, self._origin.port
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        sock = socket.socket(family, kind, protocol)
        if buffer is not None:
            # The buffer must be set before `connect`, which negotiates the TCP window from it.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.settimeout(_DEADLINE_S)
        sock.connect(address)
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_hostname=host)
        request = f"GET {self._origin.target(route)} HTTP/1.1\r\n{self._headers}\r\n"
        sock.sendall(request.encode())
        return sock


def is_open(sock: socket.socket) -> bool:
    """Return whether the server has not reset a stream that is never read."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
