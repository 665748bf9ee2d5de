"""A client's connection to the HTTP server: receives and sends, with a limit on every wait."""

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
    """A wait for the client was ended: it was too long, or there were too many connections."""


class Wire:
    """A client's connection.

    Args:
        sock: gevent's socket.
        address: the address of the client.
        slots: where each wait for the client is registered.
        lane: slows down requests that would take much of the event loop's time.

    Attributes:
        sock: gevent's socket, or the `TlsSocket` in its place.
        address: the address of the client.
        lane: slows down requests that would take much of the event loop's time.
        ahead: bytes that were received and not used yet.
        principal: the user or token that sent the request which is served now; None on public
            routes.
        handed_over: an event stream goes on without the greenlet that accepted the connection.
    """

    def __init__(self, sock: socket.socket, address: str, slots: Slots, lane: SlowLane) -> None:
        self.sock = sock
        self.address = address
        self.lane = lane
        self.ahead = bytearray()
        self.handed_over = False
        self._slots = slots
        self.principal: Principal | None = None
        self._serving = False  # a request is being served, so the connection is not idle
        self._streams = False
        self._receiving, self._sending = Wait(self), Wait(self)
        self._why: str | None = None

    def secure(self, context: ssl.SSLContext) -> None:
        """Do the TLS handshake. A client that speaks plain HTTP gets an error in plain HTTP.

        Raises:
            OSError: the handshake failed, took longer than `HANDSHAKE_WITHIN_S`, or was ended
                because there were too many connections.
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
        """``https`` if the connection has TLS, else ``http``."""
        return "https" if isinstance(self.sock, TlsSocket) else "http"

    def receive(self, size: int, within_s: float) -> bytes:
        """Wait for bytes from the client; b"" means that the client has ended the connection.

        Raises:
            GivenUp: no byte came within `within_s`, or there were too many connections.
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
            ClientGone: the client has left, reads nothing, or there were too many connections.
        """
        if self._streams:
            self._send(data)
        else:
            self.send_last(data)

    def send_last(self, data: bytes | bytearray | memoryview) -> None:
        """Send the end of an answer, with a limit on the wait even for an event stream.

        Raises:
            ClientGone: as for `send`.
        """
        self._slots.wait(self._sending, _TAKES_WITHIN_S, idle=False)
        try:
            self._send(data)
        finally:
            self._slots.go_on(self._sending, idle=False)

    def begin_request(self, is_probe: bool) -> None:
        """Note that a request is being served from now on.

        Args:
            is_probe: the request is a health check, which is served beyond the limit.

        Raises:
            Refusal: this worker serves as many requests as allowed.
        """
        self._slots.begin(is_probe)
        self._serving = True

    def become_stream(self) -> None:
        """Note that an event stream or a WebSocket begins, whose waits `Slots` does not limit.

        `gateway.streams.shedding` limits the waits of event streams, `gateway.proxy.tunnels` those
        of WebSockets.
        """
        self._slots.end()
        self._streams = True

    def hand_over(self) -> None:
        """Note that the event stream goes on without the greenlet of its request."""
        self.handed_over = True

    def end_request(self) -> None:
        """Note that the request is answered, unless it has become an event stream that goes on."""
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
            return False  # no byte has come yet, or the connection is broken

    def give_up(self, wait: Wait, why: str) -> None:
        """End a wait of this connection for the reason `why`; does not block.

        The greenlet that waits gets an error.
        """
        self._why = why
        with contextlib.suppress(OSError):
            # After a wait for the client's bytes, weir can still send an answer with the reason.
            both = wait is self._sending
            shut_down(self.sock, socket.SHUT_RDWR if both else socket.SHUT_RD)

    def abort(self) -> None:
        """End the connection at once; does not block. A waiting greenlet gets an error."""
        with contextlib.suppress(OSError):
            shut_down(self.sock, socket.SHUT_RDWR)

    def end(self) -> None:
        """Close the connection; does not block."""
        self._slots.leave(self)
        with contextlib.suppress(OSError):
            self.sock.close()

    def close_gently(self) -> None:
        """Shut down the sending side, then drop what comes until the client has closed.

        If weir closed at once while bytes of the client are unread, the kernel would send a reset,
        and the client could lose the answer. The time and the bytes are limited. All connections
        that close in this way share a thousand receives a second, so that they do not slow down
        other clients.
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
        """Reset the connection, so that the client does not take a part of an answer for all."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()
