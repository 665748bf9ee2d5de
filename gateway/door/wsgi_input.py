"""The body of a request, as the ``wsgi.input`` that weir's own routes read."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from bus.process.fairness import TimeSlice
from gateway.door.request import Request
from gateway.proxy.failures import Refusal

DEADLINE_S = 300.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class WsgiInput:
    """The body of one request as ``wsgi.input``; other requests run between two reads.

    Args:
        request: the request whose body is read.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._ahead = b""
        self._pieces: Iterator[bytes] | None = None
        self._turn = TimeSlice()
        self._until = 0.0
        self._within_s = DEADLINE_S

    @property
    def ended(self) -> bool:
        """Whether the body has been read to its end."""
        return not self._ahead and self._request.body.ended

    def go_on_beside_answer(self, patience_s: float | None) -> None:
        """Let the body go on while the answer is sent, without a limit on the whole time.

        Args:
            patience_s: how long the client may send nothing; None keeps the minimum rate of any
                body.
        """
        self._within_s = math.inf
        self._request.body.go_on_beside_answer(patience_s)

    def read(self, size: int) -> bytes:
        """Return the bytes that have come, at most `size`; b"" at the end of the body.

        If no bytes have come, wait for some, but not for `size` bytes: a caller that limits the
        length of the body must see it early.

        Raises:
            ClientGone: the client left before the end.
            Refusal: the bytes are not HTTP, or came too slowly.
        """
        if self._pieces is None:
            self._pieces = self._begin()
        if not self._ahead:
            self._turn.pass_on_if_over()
            self._ahead = next(self._pieces, b"")
            if time.monotonic() > self._until:
                raise Refusal(408, f"the request body was not complete within {DEADLINE_S:g} s")
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data

    def _begin(self) -> Iterator[bytes]:
        request = self._request
        self._until = time.monotonic() + self._within_s
        if request.expects_continue and not request.body.ended and not request.wire.ahead:
            request.wire.send(_CONTINUE)
        return request.body.pieces()
