"""Extracts the body of an HTTP response from the bytes of its connection, as they arrive."""

from __future__ import annotations


class NotAStream(ValueError):
    """The response is not a ``text/event-stream``, or is not valid HTTP."""


class ResponseBody:
    """Extracts the body of one response: a chunked body, or a body up to the connection's end."""

    def __init__(self) -> None:
        self._rest = b""
        self._in_head = True
        self._chunked = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the connection; return those of them that belong to the body.

        Raises:
            NotAStream: the bytes are not an HTTP response with an event stream.
        """
        self._rest += data
        if self._in_head and not self._head():
            return b""
        if not self._chunked:
            body, self._rest = self._rest, b""
            return body
        return b"".join(self._chunks())

    def _head(self) -> bool:
        head, end, rest = self._rest.partition(b"\r\n\r\n")
        if not end:
            return False
        lines = head.lower().split(b"\r\n")
        if b" 200 " not in lines[0] + b" " or b"text/event-stream" not in head.lower():
            raise NotAStream(f"not a stream: {head!r}")
        self._chunked = b"transfer-encoding: chunked" in lines
        self._in_head, self._rest = False, rest
        return True

    def _chunks(self) -> list[bytes]:
        chunks, data, at = [], self._rest, 0
        while (line := data.find(b"\r\n", at)) >= 0:
            try:
                end = line + 2 + int(data[at:line], 16)
            except ValueError:
                raise NotAStream(f"not the size of a chunk: {data[at:line]!r}") from None
            if len(data) < end + 2:
                break
            chunks.append(data[line + 2 : end])
            at = end + 2
        self._rest = data[at:]
        return chunks
