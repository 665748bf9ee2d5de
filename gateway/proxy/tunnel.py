"""One WebSocket between a client and the upstream: unchanged bytes in both directions.

Theory of operation. Two greenlets pass bytes, one in each direction. Each greenlet reads a piece
only after the other side has accepted the previous piece. So a slow receiver slows down its
sender, and a tunnel has at most one piece in memory for each direction. There is no timeout for
silence: a terminal may be idle for days. TCP keepalive finds a client that has vanished.

How a tunnel ends. A FIN of one side is passed on, and the other side may continue for a while. If
one connection breaks, the other connection is cut. When the worker stops, the client gets a close
frame with 1001 (going away) after the last complete frame, and nothing after that; the client's
own close frame still reaches the upstream, which then closes. A close frame cannot be sent inside
of another frame: if that frame does not end in time, the tunnel ends without a close frame.
"""

from __future__ import annotations

import enum
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
from gevent.event import Event

from bus.process.fairness import TimeSlice
from gateway.door.wire import Wire
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.frame_boundary import GOING_AWAY, FrameBoundary, close_frame

PIECE_BYTES = 16 * 1024
CLOSE_WITHIN_S = 1.0
"""How many seconds a tunnel may take to end when the worker stops; then it is cut."""
_ONE_SIDED_S = 60.0
_BUFFER_BYTES = 256 * 1024
_KEEPALIVE = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 15, socket.TCP_KEEPCNT: 4}
_TAKES_WITHIN_MS = 300_000


class ClosedBy(enum.Enum):
    """Which side ended a tunnel; DRAIN: weir, since the worker stops."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    DRAIN = "drain"


class _Drained(Exception):
    """Thrown into the greenlet that waits for the upstream, when the tunnel has to end."""


class _Broken(Exception):
    """The connection to the side `by` is broken, or was cut."""

    def __init__(self, by: ClosedBy) -> None:
        super().__init__()
        self.by = by


class Tunnel:
    """Passes the bytes of one WebSocket; an object is used once.

    Args:
        client: the client's connection, on which the upstream's answer 101 has been sent.
        upstream: the connection that has switched to WebSocket.
    """

    def __init__(self, client: Wire, upstream: UpstreamConnection) -> None:
        self._client = client
        self._upstream = upstream
        self._boundary = FrameBoundary()
        self._closed_by: ClosedBy | None = None
        self._said_goodbye = False
        self._waits_for_upstream = False
        self._pieces = 0
        self._over = Event()
        self._down: gevent.Greenlet[..., None] = gevent.Greenlet(self._run, self._pass_down)
        self._up: gevent.Greenlet[..., None] = gevent.Greenlet(self._run, self._pass_up)

    def run(self) -> ClosedBy:
        """Pass bytes until both directions have ended; return which side ended the tunnel."""
        both = (self._down, self._up)
        try:
            _tend(self._client.sock, self._upstream.sock)
            for one in both:
                one.start()
            gevent.wait(both, count=1)
            self._await_second()
        finally:
            gevent.killall(both)
            self._over.set()
        return self._closed_by or ClosedBy.CLIENT

    def drain(self) -> None:
        """End the tunnel because the worker stops; return when the tunnel has ended."""
        self._closed_by = self._closed_by or ClosedBy.DRAIN
        gevent.get_hub().loop.run_callback(self._wake)
        if not self._over.wait(CLOSE_WITHIN_S):
            self._cut()

    def _await_second(self) -> None:
        """Wait until both directions have ended, or no bytes have passed for `_ONE_SIDED_S`."""
        both, seen = (self._down, self._up), -1
        while self._pieces != seen:
            seen = self._pieces
            if len(gevent.joinall(both, timeout=_ONE_SIDED_S)) == len(both):
                return

    def _run(self, direction: Callable[[], None]) -> None:
        try:
            direction()
        except _Broken as broken:
            self._closed_by = self._closed_by or broken.by
            self._cut()

    def _pass_up(self) -> None:
        """Pass the client's bytes to the upstream; bytes that came with the handshake go first."""
        turn = TimeSlice()
        piece = bytes(self._client.ahead)
        self._client.ahead.clear()
        piece = piece or self._of_client()
        while piece:
            with _blamed(ClosedBy.UPSTREAM):
                self._upstream.sock.sendall(piece)
            turn.pass_on_if_over()
            piece = self._of_client()
        self._closed_by = self._closed_by or ClosedBy.CLIENT
        with _blamed(ClosedBy.UPSTREAM):
            self._upstream.end_sending()

    def _pass_down(self) -> None:
        turn = TimeSlice()
        piece = self._upstream.left_over() or self._of_upstream()
        while piece:
            if not self._said_goodbye:
                self._tell_client(piece)
                self._boundary.feed(piece)
            turn.pass_on_if_over()
            piece = self._of_upstream()
        self._closed_by = self._closed_by or ClosedBy.UPSTREAM
        with _blamed(ClosedBy.CLIENT):
            self._client.sock.shutdown(socket.SHUT_WR)

    def _of_client(self) -> bytes:
        with _blamed(ClosedBy.CLIENT):
            piece = self._client.sock.recv(PIECE_BYTES)
        self._pieces += 1
        return piece

    def _of_upstream(self) -> bytes:
        """Return the next piece from the upstream; meanwhile, send the close frame on `drain`."""
        while True:
            if self._closed_by is ClosedBy.DRAIN and not self._said_goodbye:
                self._say_goodbye()
            self._waits_for_upstream = True
            try:
                with _blamed(ClosedBy.UPSTREAM):
                    piece = self._upstream.sock.recv(PIECE_BYTES)
                self._pieces += 1
                return piece
            except _Drained:
                continue
            finally:
                self._waits_for_upstream = False

    def _say_goodbye(self) -> None:
        if self._boundary.reached:
            self._said_goodbye = True
            self._tell_client(close_frame(GOING_AWAY))

    def _tell_client(self, data: bytes) -> None:
        with _blamed(ClosedBy.CLIENT):
            self._client.sock.sendall(data)

    def _wake(self) -> None:
        # This runs in gevent's hub, so no greenlet runs now: if the flag is set, the greenlet does
        # wait for the upstream, and is not in the middle of a write to the client.
        if self._waits_for_upstream:
            self._down.throw(_Drained())

    def _cut(self) -> None:
        """Cut both connections; greenlets that wait on them get an error. Does not block."""
        self._upstream.abort()
        self._client.abort()


@contextmanager
def _blamed(side: ClosedBy) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _Broken(side) from error


def _tend(client: socket.socket, upstream: socket.socket) -> None:
    """Set small socket buffers, TCP keepalive, and a time limit for a client that reads nothing.

    With the default buffers, megabytes of a program's output would wait in the kernel, and a user
    who stops the program with Ctrl-C would still see them all.
    """
    for sock in (client, upstream):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    if sys.platform != "linux" or client.family not in (socket.AF_INET, socket.AF_INET6):
        return
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE.items():
        client.setsockopt(socket.IPPROTO_TCP, option, value)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _TAKES_WITHIN_MS)
