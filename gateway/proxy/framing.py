"""Converts an answer of the upstream into HTTP/1.1 bytes for the client. No I/O.

How the answer marks the end of its body (RFC 9112, 6.3); the first case that applies:

1. Not at all: an answer to HEAD, and 1xx, 204, 304 have no body.
2. By the length that the upstream gave.
3. By chunks, for a client of HTTP/1.1; only chunks have trailers.
4. By the end of the connection.

If the upstream breaks off a body, its end is not marked, so that the client sees the failure.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable

from gateway.proxy.headers import Header, end_to_end, values

_NO_BODY = frozenset({204, 304})


class BodyEnding(enum.Enum):
    """How an answer marks the end of its body."""

    NONE = enum.auto()
    LENGTH = enum.auto()
    CHUNKS = enum.auto()
    CLOSE = enum.auto()


class BodyFraming:
    """Converts the parts of one answer into bytes for the client.

    Args:
        method: the method of the request.
        http11: the client speaks HTTP/1.1, not 1.0.
        keep_alive: the client allows another request on its connection.
        begins: called with the status of the final answer, or with 101.

    Attributes:
        begun: the status and headers of the final answer were returned.
        keep_alive: the client may send another request on the connection after this answer.
        ending: how the answer marks the end of its body; known once `begun` is true.
        status: the status of the answer; None until `begun` is true.
    """

    def __init__(
        self,
        method: str,
        http11: bool,
        keep_alive: bool,
        begins: Callable[[int], None] = lambda _status: None,
    ) -> None:
        self.begun = False
        self.keep_alive = keep_alive
        self.ending = BodyEnding.NONE
        self.status: int | None = None
        self._method = method
        self._http11 = http11
        self._begins = begins

    def informational(self, status: int, reason: bytes, headers: Iterable[Header]) -> bytes:
        """Return the bytes of an informational answer (1xx); empty for a client of HTTP/1.0."""
        return _head(status, reason, end_to_end(headers)) if self._http11 else b""

    def switching(self, reason: bytes, headers: Iterable[Header]) -> bytes:
        """Return status line and headers of an answer 101, after which WebSocket is spoken."""
        headers = list(headers)
        self.begun, self.keep_alive, self.status = True, False, 101
        self._begins(101)
        upgrade = [(b"Upgrade", value) for value in values(headers, b"upgrade")]
        return _head(101, reason, [*end_to_end(headers), *upgrade, (b"Connection", b"Upgrade")])

    def head(self, status: int, reason: bytes, headers: Iterable[Header]) -> bytes:
        """Return status line and headers of the final answer; `headers` are the upstream's."""
        headers = list(headers)
        self.begun = True
        self.status = status
        self._begins(status)
        self.ending = self._ending_of(status, headers)
        kept = end_to_end(headers)
        if self.ending in (BodyEnding.CHUNKS, BodyEnding.CLOSE):
            kept = [header for header in kept if header[0].lower() != b"content-length"]
        elif self.ending is BodyEnding.LENGTH and not values(kept, b"content-length"):
            kept.append((b"Content-Length", values(headers, b"content-length")[0]))
        if self.ending is BodyEnding.CHUNKS:
            kept.append((b"Transfer-Encoding", b"chunked"))
        if self.ending is BodyEnding.CLOSE:
            self.keep_alive = False
        if not self.keep_alive:
            kept.append((b"Connection", b"close"))
        elif not self._http11:
            kept.append((b"Connection", b"keep-alive"))
        return _head(status, reason, kept)

    def data(self, piece: bytes | bytearray) -> bytes | bytearray:
        """Return the bytes that the client gets for a piece of the body."""
        if self.ending is BodyEnding.CHUNKS and piece:
            return b"".join((b"%x\r\n" % len(piece), piece, b"\r\n"))
        return b"" if self.ending is BodyEnding.NONE else piece

    def end(self, trailers: Iterable[Header]) -> bytes:
        """Return the bytes that mark the end of the body; empty if no bytes mark it."""
        if self.ending is not BodyEnding.CHUNKS:
            return b""
        return b"0\r\n%b\r\n" % _lines(end_to_end(trailers))

    def _ending_of(self, status: int, headers: list[Header]) -> BodyEnding:
        if self._method == "HEAD" or status in _NO_BODY:
            return BodyEnding.NONE
        if values(headers, b"content-length") and not values(headers, b"transfer-encoding"):
            return BodyEnding.LENGTH
        return BodyEnding.CHUNKS if self._http11 else BodyEnding.CLOSE


def _head(status: int, reason: bytes, headers: Iterable[Header]) -> bytes:
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, _lines(headers))


def _lines(headers: Iterable[Header]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
