"""One reader of `weir bench`: keeps the bytes of its stream, which are parsed after measuring."""

from __future__ import annotations

import re
import ssl
import time

from deploy.bench.connecting import Connector

_PIECE = 64 * 1024
_FRAMING = re.compile(rb"\r\n[0-9a-f]+\r\n")
_LAST = 4 * 1024
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError)


class StreamEnded(Exception):
    """The server has ended a stream, by a normal end or by a reset."""


class BenchReader:
    """A client with an open event stream, which reads as fast as it can.

    Args:
        connector: opens the stream.
        route: the route of the stream, with its query.
        keeps: whether to keep all bytes.

    Attributes:
        done_ns: when the marker was received, in ns on the monotonic clock; 0 before.
        size: how many bytes were received since the last call of `begin`.
        pieces: the kept bytes in pieces, each with its time in ns on the monotonic clock.
    """

    def __init__(self, connector: Connector, route: str, keeps: bool) -> None:
        self.done_ns = 0
        self.size = 0
        self.pieces: list[tuple[int, bytes]] = []
        self._keeps = keeps
        self._marker, self._tail = b"", b""
        self.socket, head = connector.stream(route)
        self.socket.setblocking(False)
        self._recv = self.socket.recv
        if keeps:
            self.pieces.append((time.monotonic_ns(), head))

    def begin(self, marker: bytes) -> None:
        """Look for the text `marker` from now on, and count bytes from 0."""
        self._marker, self._tail = marker, b""
        self.done_ns = self.size = 0

    def receive(self) -> bool:
        """Read the bytes that have arrived; return whether they complete the marker.

        Raises:
            StreamEnded: the server has ended the stream.
        """
        try:
            data = self._recv(_PIECE)
        except _WOULD_BLOCK:
            return False
        except OSError as error:
            raise StreamEnded(f"the server has reset an event stream: {error.strerror}") from error
        now_ns = time.monotonic_ns()
        if not data:
            raise StreamEnded("the server has ended an event stream")
        self.size += len(data)
        if self._keeps:
            self.pieces.append((now_ns, data))
        return bool(self._marker) and self._is_marked(data, now_ns)

    def take(self) -> list[tuple[int, bytes]]:
        """Return the pieces that were kept since the last call, and forget them."""
        taken, self.pieces = self.pieces, []
        return taken

    def _is_marked(self, data: bytes, now_ns: int) -> bool:
        # The marker may be split over two calls of `recv`, or over two HTTP chunks with their
        # framing in between. The framing is removed only from the last bytes, for speed; that is
        # enough, because hardly any bytes follow the marker.
        data = self._tail + data
        if self._marker not in data and self._marker not in _FRAMING.sub(b"", data[-_LAST:]):
            self._tail = data[-2 * len(self._marker) :]
            return False
        self._marker, self.done_ns = b"", now_ns
        return True
