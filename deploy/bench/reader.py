"""One stream of the readers' process: keeps bytes while it measures, parses them later."""

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
    """The server ended a stream, cleanly or by a reset."""


class BenchReader:
    """A client that reads as fast as it can.

    Args:
        door: opens the stream.
        route: of the stream, with its query.
        keeps: whether to keep all bytes.

    Attributes:
        done_ns: when the marker came, on the monotonic clock; 0 until then.
        size: bytes since the last call of `begin`.
        pieces: the kept bytes, each piece with its time in monotonic ns.
    """

    def __init__(self, door: Connector, route: str, keeps: bool) -> None:
        self.done_ns = 0
        self.size = 0
        self.pieces: list[tuple[int, bytes]] = []
        self._keeps = keeps
        self._marker, self._tail = b"", b""
        self.socket, head = door.stream(route)
        self.socket.setblocking(False)
        self._recv = self.socket.recv
        if keeps:
            self.pieces.append((time.monotonic_ns(), head))

    def begin(self, marker: bytes) -> None:
        """Start to look for a marker."""
        self._marker, self._tail = marker, b""
        self.done_ns = self.size = 0

    def receive(self) -> bool:
        """Take the available bytes; return whether the marker has just come.

        Raises:
            StreamEnded: the server ended the stream.
        """
        try:
            data = self._recv(_PIECE)
        except _WOULD_BLOCK:
            return False
        except OSError as error:
            raise StreamEnded(f"the server reset a stream: {error.strerror}") from error
        now_ns = time.monotonic_ns()
        if not data:
            raise StreamEnded("the server ended a stream")
        self.size += len(data)
        if self._keeps:
            self.pieces.append((now_ns, data))
        return bool(self._marker) and self._is_marked(data, now_ns)

    def take(self) -> list[tuple[int, bytes]]:
        """Return the pieces that were kept since the last call, and drop them."""
        taken, self.pieces = self.pieces, []
        return taken

    def _is_marked(self, data: bytes, now_ns: int) -> bool:
        # The marker may be cut in two, by `recv` or by a proxy that begins a chunk inside of it.
        # The framing of chunks is only removed from the last bytes, since little follows the
        # marker.
        data = self._tail + data
        if self._marker not in data and self._marker not in _FRAMING.sub(b"", data[-_LAST:]):
            self._tail = data[-2 * len(self._marker) :]
            return False
        self._marker, self.done_ns = b"", now_ns
        return True
