"""The client's connection, written to: what belongs together leaves together, and in bounds."""

from __future__ import annotations

import socket
import struct

import gevent
from gunicorn import util

from gateway.proxy.connection import PIECE_BYTES
from gateway.proxy.failures import ClientGone

STALLED_S = 300.0
_RESET = struct.pack("ii", 1, 0)
_LINGER_S = 2.0
_LINGER_BYTES = 64 * 1024 * 1024


class Outlet:
    """Collects what is to be written until there is a piece of it, or nothing more for now."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._waiting: list[bytes | bytearray] = []
        self._bytes = 0

    def write(self, data: bytes | bytearray) -> None:
        """Add `data`; may wait for the client.

        Raises:
            ClientGone: it has left, or takes nothing for `STALLED_S`.
        """
        self._waiting.append(data)
        self._bytes += len(data)
        if self._bytes >= PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write all there is, and wait until the client takes it.

        Raises:
            ClientGone: it has left, or takes nothing for `STALLED_S`.
        """
        if not self._bytes:
            return
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        try:
            with gevent.Timeout(STALLED_S, ClientGone()):
                self._client.sendall(data)
        except OSError as error:
            raise ClientGone from error

    def close_gently(self) -> None:
        """Close while the client may still be sending: a reset could overtake the answer."""
        util.close_graceful(self._client, _LINGER_S, _LINGER_BYTES)

    def reset(self) -> None:
        """Cut the connection, so that nobody takes what was written for the whole."""
        try:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            return  # it is closed already
        self._client.close()
