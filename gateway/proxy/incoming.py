"""A client's request, as gunicorn parsed its head: plain data, and a body that comes in pieces.

Gunicorn's own `read` waits until it has as many bytes as were asked for. A proxy passes on what
there is, so the body is taken from gunicorn's readers, below that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import NoMoreData, ParseException

from gateway.proxy.connection import PIECE_BYTES
from gateway.proxy.failures import ClientGone, Refusal
from gateway.proxy.headers import Header
from gateway.proxy.target import origin_form


class Incoming:
    """One request.

    Args:
        parsed: gunicorn's request.
        peer: the client's address as gunicorn has it: a pair, or text for a Unix socket.

    Attributes:
        method: as it came.
        path: without the query, which may hold a secret.
        query: without the question mark.
        target: the path and the query, as the client sent them.
        headers: in order; gunicorn has lost the case of their names.
        http11: the client speaks HTTP/1.1.
        keep_alive: the client may send another request on its connection.
        client: the client's address.
        scheme: which the client used, as far as a trusted proxy in front may say.
        body: the header that frames the body, None if there is no body.
    """

    def __init__(self, parsed: Any, peer: Any) -> None:
        self._parsed = parsed
        self._reader: Any = parsed.body.reader
        self.method: str = parsed.method
        self.path: str = parsed.path
        self.query: str = parsed.query
        self.target = origin_form(parsed.uri)
        self.headers = _spelled(parsed.headers)
        self.http11: bool = parsed.version >= (1, 1)
        self.keep_alive: bool = not parsed.should_close()
        self.client = str(peer[0] if isinstance(peer, tuple) else "") or "unknown"
        self.scheme: str = parsed.scheme
        self.body = self._framed_by()

    @property
    def trailers(self) -> list[Header]:
        """What followed the last chunk; known once the body has been read."""
        return _spelled(self._parsed.trailers)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes.

        Raises:
            ClientGone: the client left in the middle.
            Refusal: what it sent is not HTTP.
        """
        # Left to itself gunicorn asks its socket for a megabyte.
        self._parsed.unreader.max_body_chunk = PIECE_BYTES
        pieces = self._chunks() if isinstance(self._reader, ChunkedReader) else self._rest()
        try:
            yield from pieces
        except (OSError, NoMoreData) as error:
            raise ClientGone from error
        except ParseException as error:
            raise Refusal(400, f"the body is malformed: {error}") from error

    def _chunks(self) -> Iterator[bytes]:
        for piece in self._reader.parser:
            if piece:
                yield piece

    def _rest(self) -> Iterator[bytes]:
        unreader = self._parsed.unreader
        while left := self._reader.length:
            data = unreader.read(None, read_ahead=left)
            if not data:
                raise NoMoreData
            if len(data) > left:
                unreader.unread(data[left:])
                data = data[:left]
            self._reader.length = left - len(data)
            yield data

    def _framed_by(self) -> Header | None:
        if isinstance(self._reader, ChunkedReader):
            return (b"Transfer-Encoding", b"chunked")
        if self._reader.length:
            return (b"Content-Length", b"%d" % self._reader.length)
        return None


def _spelled(parsed: list[tuple[str, str]]) -> list[Header]:
    return [(name.title().encode("latin-1"), value.encode("latin-1")) for name, value in parsed]
