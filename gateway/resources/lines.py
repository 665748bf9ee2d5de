"""Splits the body of a request into lines (NDJSON) as they arrive, in limited memory."""

from __future__ import annotations

import gevent

from gateway.door.wire import Wire
from gateway.door.wsgi_input import WsgiInput

_READ_BYTES = 64 * 1024
_BATCH_BYTES = 128 * 1024
# After a read of fewer bytes than this, the next read waits for `_PAUSE_S`: a client that sends a
# line byte by byte would otherwise cause a read for each byte.
_FEW_BYTES = 4096
_PAUSE_S = 0.005


class RequestLines:
    """Splits a body into lines; blank lines are ignored.

    Args:
        body: the body of the request.
        wire: the connection of the request.
        longest: the limit of a line in bytes; for a longer line, None is returned as soon as the
            limit is exceeded, and the rest of the line is skipped.
        is_live: the client writes the body while its lines are processed, so each line is returned
            at once, without waiting for a full batch.

    Attributes:
        is_live: each line is returned at once (see Args).
    """

    def __init__(self, body: WsgiInput, wire: Wire, longest: int, is_live: bool) -> None:
        self.is_live = is_live
        self._body = body
        self._wire = wire
        self._longest = longest
        self._begun = b""
        self._skips = False
        self._whole: list[bytes | None] = []
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether all lines have been returned."""
        return not self._whole and self._ended

    def batch(self, most: int) -> list[bytes | None]:
        """Wait for at least one line; return the lines that have come, `most` at most.

        Returns:
            The lines; None for a line that is too long; an empty list at the end of the body.

        Raises:
            ClientGone: the client left before the end of the body.
            Refusal: the bytes are not valid HTTP, or came too slowly.
        """
        size = 0
        while not (
            self._ended or len(self._whole) >= most or (self._whole and size >= _BATCH_BYTES)
        ):
            if self._whole and self.is_live and not self._more_has_come():
                break
            data = self._body.read(_READ_BYTES)
            size += len(data)
            self._split(data)
            if not self._whole and not self._ended:
                gevent.sleep(_PAUSE_S if len(data) < _FEW_BYTES else 0)
        some, self._whole = self._whole[:most], self._whole[most:]
        return some

    def _more_has_come(self) -> bool:
        return bool(self._wire.ahead) or self._wire.has_unread()

    def _split(self, data: bytes) -> None:
        if data:
            *whole, rest = data.split(b"\n")
        else:
            self._ended = True
            whole, rest = [b""], b""
        for line in whole:
            self._put(self._begun + line)
            self._begun = b""
        if not self._skips:
            self._begun += rest
        if self._body.ended and not self._ended:
            self._ended = True
            self._put(self._begun)
            self._begun = b""
        if len(self._begun) > self._longest:
            # Not only at the line's end, which may come after a gigabyte.
            self._whole.append(None)
            self._skips, self._begun = True, b""

    def _put(self, line: bytes) -> None:
        if self._skips:
            self._skips = False
        elif len(line) > self._longest:
            self._whole.append(None)
        elif line.strip():
            self._whole.append(line)
