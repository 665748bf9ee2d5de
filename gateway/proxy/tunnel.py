"""One WebSocket between a client and the upstream: unchanged bytes in both directions.

Theory of operation. Two greenlets pass bytes, one in each direction. Each reads a piece when the
previous piece has been taken. So a slow side slows down its sender, and a tunnel holds at most one
piece in each direction. Silence has no limit: a terminal may be idle for days, and the kernel
finds a peer that has vanished.

The end. A FIN of one side is passed on, and the other side may continue for a while. If a
connection breaks, the other one is cut. When the worker stops, the client gets a close frame with
1001 (going away) after the last complete frame, and nothing after it; the client's answer still
reaches the upstream, which then closes. Inside of a frame no close frame is possible: if the end
of the frame does not come in time, the connections end without a close frame.
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
"""How long a drained tunnel may take to end."""
_ONE_SIDED_S = 60.0
_BUFFER_BYTES = 256 * 1024
_KEEPALIVE = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 15, socket.TCP_KEEPCNT: 4}
_TAKES_WITHIN_MS = 300_000


class ClosedBy(enum.Enum):
    """Who ended a tunnel."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    DRAIN = "drain"


class _Drained(Exception):
    """Wakes the greenlet that waits for the upstream, since the tunnel has to end."""


class _Broken(Exception):
    """A connection is broken, or was cut."""

    def __init__(self, by: ClosedBy) -> None:
        super().__init__()
        self.by = by


class Tunnel:
    """Runs once.

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
        """Pass bytes until both directions have ended; return who ended the tunnel."""
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
        """End the tunnel because the worker stops; return when it has ended."""
        self._closed_by = self._closed_by or ClosedBy.DRAIN
        gevent.get_hub().loop.run_callback(self._wake)
        if not self._over.wait(CLOSE_WITHIN_S):
            self._cut()

    def _await_second(self) -> None:
        """Wait until the other direction ends too, or passes nothing for a long time."""
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
        """Pass the client's bytes to the upstream, first those that came with the handshake."""
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
        """Return the next piece; when the worker stops, send the close frame early."""
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
        # In the hub: a greenlet whose flag says that it waits does wait, and writes nothing.
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
    """Keep the kernel's buffers small, and let the kernel find a client that has vanished.

    The kernel would buffer megabytes, and a key that stops a program would wait behind them. The
    kernel also ends a client that takes nothing for very long.
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
