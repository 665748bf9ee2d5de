"""One client's connection: receives and sends, with a limit on every wait."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from typing import TYPE_CHECKING

import gevent

from gateway.door.slots import Slots, Wait
from gateway.door.slow_lane import SlowLane
from gateway.door.tls_socket import TlsSocket
from gateway.proxy.failures import ClientGone
from gateway.streams.peer_watch import peek, shut_down

if TYPE_CHECKING:
    from gateway.access.principal import Principal

PIECE_BYTES = 64 * 1024
_TAKES_WITHIN_S = 300.0
_LINGER_S = 2.0
_LINGER_BYTES = 32 * 1024 * 1024
_LINGER_PAUSE_S = 0.001
_RESET = struct.pack("ii", 1, 0)


HANDSHAKE_WITHIN_S = 10.0
_NOT_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n"
    b'{"name":"BadRequest","data":{"message":"this port speaks TLS; use https://"}}'
)


class GivenUp(ClientGone):
    """The connection waited for its client for too long, or its place was needed."""


class Wire:
    """One connection.

    Args:
        sock: gevent's socket.
        address: of the client.
        slots: where the waits are registered.
        lane: the slow lane of the worker.

    Attributes:
        lane: as given.
        ahead: bytes that were received and not used yet.
        principal: whose the request is that is served now; None if that does not matter.
        handed_over: the greenlet that accepted the connection no longer serves it.
    """

    def __init__(self, sock: socket.socket, address: str, slots: Slots, lane: SlowLane) -> None:
        self.sock = sock
        self.address = address
        self.lane = lane
        self.ahead = bytearray()
        self.handed_over = False
        self._slots = slots
        self.principal: Principal | None = None
        self._serving = False  # a request is being served, so this connection waits for no head
        self._streams = False
        self._receiving, self._sending = Wait(self), Wait(self)
        self._why: str | None = None

    def secure(self, context: ssl.SSLContext) -> None:
        """Begin TLS. A client that speaks plain HTTP is answered in plain HTTP.

        Raises:
            OSError: there is no agreement within `HANDSHAKE_WITHIN_S`, or the place was needed.
        """
        sock = self.sock = TlsSocket(self.sock, context)
        self._slots.wait(self._receiving, HANDSHAKE_WITHIN_S, idle=True)
        try:
            sock.handshake()
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                sock.send_plain(_NOT_TLS)
            raise
        finally:
            self._slots.go_on(self._receiving, idle=True)

    @property
    def scheme(self) -> str:
        """``https`` or ``http``."""
        return "https" if isinstance(self.sock, TlsSocket) else "http"

    def receive(self, size: int, within_s: float) -> bytes:
        """Wait for bytes from the client; b"" is the end of the connection.

        Raises:
            GivenUp: it took too long, or the place was needed.
            OSError: the connection is broken.
        """
        idle = not self._serving
        self._slots.wait(self._receiving, within_s, idle)
        try:
            data = self.sock.recv(size)
        finally:
            self._slots.go_on(self._receiving, idle)
        if self._why is not None:
            raise GivenUp(self._why)
        return data

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`, and wait until the kernel has taken all of it.

        Raises:
            ClientGone: the client has left, takes nothing, or its place was needed.
        """
        if self._streams:
            self._send(data)
        else:
            self.send_last(data)

    def send_last(self, data: bytes | bytearray | memoryview) -> None:
        """Send the end of an answer; the slots register this wait even for an event stream.

        Raises:
            ClientGone: as for `send`.
        """
        self._slots.wait(self._sending, _TAKES_WITHIN_S, idle=False)
        try:
            self._send(data)
        finally:
            self._slots.go_on(self._sending, idle=False)

    def begin_request(self, is_probe: bool) -> None:
        """Note that a request is being served.

        Raises:
            Refusal: this worker serves as many requests as allowed.
        """
        self._slots.begin(is_probe)
        self._serving = True

    def become_stream(self) -> None:
        """Note that this is an event stream or a WebSocket: `slots` does not know its waits.

        `gateway.streams.shedding` limits streams, `gateway.proxy.tunnels` limits WebSockets.
        """
        self._slots.end()
        self._streams = True

    def hand_over(self) -> None:
        """Note that the event stream continues without the greenlet of its request."""
        self.handed_over = True

    def end_request(self) -> None:
        """Note that the request is no longer being served."""
        if self.handed_over:
            return
        if not self._streams:
            self._slots.end()
        self._serving = self._streams = False

    def _send(self, data: bytes | bytearray | memoryview) -> None:
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise ClientGone from error

    def has_unread(self) -> bool:
        """Return whether the client has sent bytes that are not received yet."""
        try:
            return bool(peek(self.sock.fileno()))
        except OSError:
            return False  # nothing has come, or nothing will come

    def give_up(self, wait: Wait, why: str) -> None:
        """End a wait of this connection; does not block."""
        self._why = why
        with contextlib.suppress(OSError):
            # If a wait for more of a request ends, an answer can still report it.
            both = wait is self._sending
            shut_down(self.sock, socket.SHUT_RDWR if both else socket.SHUT_RD)

    def abort(self) -> None:
        """Cut the connection; a greenlet that waits on it gets an error. Does not block."""
        with contextlib.suppress(OSError):
            shut_down(self.sock, socket.SHUT_RDWR)

    def end(self) -> None:
        """Close the connection; does not block."""
        self._slots.leave(self)
        with contextlib.suppress(OSError):
            self.sock.close()

    def close_gently(self) -> None:
        """Shut down the sending side, and close once the client has closed.

        To close at once could reset the connection, and the reset could overtake the answer. The
        client may send more for a while, within bounds. All connections that close in this way
        share a thousand receives a second, so that they do not slow down other clients.
        """
        until, left = time.monotonic() + _LINGER_S, _LINGER_BYTES
        with contextlib.suppress(OSError, ClientGone), self._slots.closing_gently():
            self.sock.shutdown(socket.SHUT_WR)
            while (time_s := until - time.monotonic()) > 0 and left > 0:
                data = self.receive(PIECE_BYTES, time_s)
                if not data:
                    break
                left -= len(data)
                gevent.sleep(min(time_s, _LINGER_PAUSE_S * self._slots.closing))

    def reset(self) -> None:
        """Reset the connection, so that the client does not take a part for a whole answer."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()
