"""The lines of a body (NDJSON), as they arrive, in bounded memory."""

from __future__ import annotations

import gevent

from gateway.door.wire import Wire
from gateway.door.wsgi_input import WsgiInput

_READ_BYTES = 64 * 1024
_BATCH_BYTES = 128 * 1024
# If a client sends a line byte by byte, its bytes are received in intervals.
_FEW_BYTES = 4096
_PAUSE_S = 0.005


class RequestLines:
    """Splits a body into lines; blank lines are ignored.

    Args:
        body: contains the lines.
        wire: of the request.
        longest: the limit of a line in bytes; a longer line is skipped, and returned as None as
            soon as it is too long.
        is_live: the body grows while its lines are processed, and each line is needed at once.

    Attributes:
        is_live: as given.
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
        """Wait for the next lines, and return at most `most` of those that have come.

        Returns:
            An empty list at the end of the body.

        Raises:
            ClientGone: the client left before the end.
            Refusal: the bytes are not HTTP, or came too slowly.
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
            # Refused now: the end of the line may be a gigabyte away.
            self._whole.append(None)
            self._skips, self._begun = True, b""

    def _put(self, line: bytes) -> None:
        if self._skips:
            self._skips = False
        elif len(line) > self._longest:
            self._whole.append(None)
        elif line.strip():
            self._whole.append(line)
