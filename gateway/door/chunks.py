"""Decodes a body with ``Transfer-Encoding: chunked`` (RFC 9112, 7.1). No I/O.

Received bytes go in, the body's bytes come out. Each byte is looked at once, whatever the size of
the chunks. Chunk extensions are read and dropped.
"""

from __future__ import annotations

import re

from gateway.door.head import fields
from gateway.proxy.failures import Refusal
from gateway.proxy.headers import Header

MANY_CHUNKS = 256
"""The most chunks that one call decodes, in about 0.6 ms: each chunk costs time, however small."""
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*+;[\t -~\x80-\xff]*+)?\r\n")
_LONGEST_SIZE_LINE = 4096
_LONGEST_TRAILERS = 16 * 1024
_END = b"\r\n"
# Headers that are refused as trailers (RFC 9110, 6.5.1): a server that reads them would see
# another user, another host, or another end of the body.
_NO_TRAILERS = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"trailer", b"authorization", b"te"}
)


class Chunks:
    """Decodes the chunks of one body.

    Attributes:
        ended: the last chunk and the trailers have been read.
        crowded: the last call of `decode` stopped because it had decoded `MANY_CHUNKS`.
        trailers: the headers after the last chunk.
    """

    def __init__(self) -> None:
        self.ended = self.crowded = False
        self.trailers: list[Header] = []
        self._left = 0  # bytes of the chunk that is being read, and of the CRLF after it
        self._last = False

    def decode(self, data: bytearray) -> bytes:
        """Remove what has come of the chunks from the front of `data`, and return it decoded.

        One call decodes at most `MANY_CHUNKS` chunks.

        Raises:
            Refusal: `data` is not in the chunked encoding.
        """
        pieces: list[bytes | bytearray] = []
        at, more = 0, MANY_CHUNKS
        while more and not self.ended:
            if self._left:
                at = self._take(data, at, pieces)
                if self._left:
                    break
            elif self._last:
                at = self._end(data, at)
                break
            else:
                match = _SIZE_LINE.match(data, at)
                if match is None:
                    _check_size_line(data, at)
                    break
                more -= 1
                at, size = match.end(), int(match[1], 16)
                self._last = not size
                self._left = size + len(_END) if size else 0
        self.crowded = not more
        del data[:at]
        return b"".join(pieces)

    def _take(self, data: bytearray, at: int, pieces: list[bytes | bytearray]) -> int:
        """Append what has come of a chunk to `pieces`; return the position after that."""
        payload = self._left - len(_END)
        if payload > 0:
            piece = data[at : at + payload]
            pieces.append(piece)
            self._left -= len(piece)
            at += len(piece)
        if self._left <= len(_END):
            end = data[at : at + self._left]
            if end != _END[len(_END) - self._left :][: len(end)]:
                raise Refusal(
                    400,
                    "the chunked request body is malformed: a chunk is longer than its size says",
                )
            self._left -= len(end)
            at += len(end)
        return at

    def _end(self, data: bytearray, at: int) -> int:
        """Read the trailers if they are complete; return the position after them, else `at`."""
        if data.startswith(_END, at):
            self.ended = True
            return at + len(_END)
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            if len(data) - at > _LONGEST_TRAILERS:
                raise Refusal(
                    431,
                    f"the trailers of the request body are longer than {_LONGEST_TRAILERS} bytes",
                )
            return at
        self.trailers = fields(bytes(data[at : end + len(_END)]))
        if any(name.lower() in _NO_TRAILERS for name, _ in self.trailers):
            raise Refusal(
                400,
                "a trailer after the request body has a name that is only allowed in the head, "
                "such as content-length or authorization",
            )
        self.ended = True
        return end + len(b"\r\n\r\n")


def _check_size_line(data: bytearray, at: int) -> None:
    """Refuse bytes that cannot be the beginning of a chunk: a size in hex digits, then CRLF."""
    if data.find(b"\n", at, at + _LONGEST_SIZE_LINE) >= 0 or len(data) - at > _LONGEST_SIZE_LINE:
        raise Refusal(
            400,
            "the chunked request body is malformed: a chunk does not begin with its size in hex",
        )
