"""An answer in the form that its client can read. No I/O: events in, bytes out.

How the end of a body is marked (RFC 9112, 6.3), the first that applies:

1. There is none: an answer to HEAD, and 1xx, 204, 304.
2. The upstream said its length.
3. Chunks, for a client of HTTP/1.1; only these carry trailers.
4. The end of the connection.

A body that the upstream cut short is never given one of these ends.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from gateway.proxy.headers import Header, end_to_end, values

_NO_BODY = frozenset({204, 304})


class BodyEnding(enum.Enum):
    """How the end of a body is marked."""

    NONE = enum.auto()
    LENGTH = enum.auto()
    CHUNKS = enum.auto()
    CLOSE = enum.auto()


class BodyFraming:
    """Writes one answer.

    Args:
        method: of the request.
        http11: the client speaks HTTP/1.1.
        keep_alive: the client's connection may serve another request.

    Attributes:
        begun: the head of the final answer has been written.
        keep_alive: it still may, after this answer.
        ending: how the end of the body is marked; known once the body has begun.
        status: of the answer; None until it has begun.
    """

    def __init__(self, method: str, http11: bool, keep_alive: bool) -> None:
        self.begun = False
        self.keep_alive = keep_alive
        self.ending = BodyEnding.NONE
        self.status: int | None = None
        self._method = method
        self._http11 = http11

    def informational(self, status: int, reason: bytes, headers: Iterable[Header]) -> bytes:
        """An answer before the answer; a client of HTTP/1.0 knows no such thing."""
        return _head(status, reason, end_to_end(headers)) if self._http11 else b""

    def head(self, status: int, reason: bytes, headers: Iterable[Header]) -> bytes:
        """The final answer's head; `headers` as the upstream sent them."""
        headers = list(headers)
        self.begun = True
        self.status = status
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
        """A piece of the body."""
        if self.ending is BodyEnding.CHUNKS and piece:
            return b"".join((b"%x\r\n" % len(piece), piece, b"\r\n"))
        return b"" if self.ending is BodyEnding.NONE else piece

    def end(self, trailers: Iterable[Header]) -> bytes:
        """The end of the body."""
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
