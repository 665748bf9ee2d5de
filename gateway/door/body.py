"""The body of a request, received in pieces, at a minimum rate."""

from __future__ import annotations

import time
from collections.abc import Iterator

from gateway.door.chunks import Chunks
from gateway.door.head import Head
from gateway.door.slow_lane import CROWDED_S
from gateway.door.wire import PIECE_BYTES, GivenUp, Wire
from gateway.proxy.failures import ClientGone, Refusal
from gateway.proxy.headers import Header

SILENT_S = 10.0
LEAST_BYTES_S = 4096
_FEW_RECEIVES = 16
_BYTES_A_RECEIVE = 512


class RequestBody:
    """Reads the body of one request.

    The client may let weir wait for `SILENT_S` in all, plus one second for each `LEAST_BYTES_S`
    bytes of the body that have come. The framing of chunks does not count as bytes. Time in which
    weir does not wait for the client does not count either. A body of very many small chunks, or
    one that comes in very small pieces, is slowed down (`SlowLane`).
    """

    def __init__(self, wire: Wire, head: Head) -> None:
        self._wire = wire
        self._left = head.length
        self._chunks = Chunks() if head.chunked else None
        self._taken_bytes = 0
        self._received_bytes = self._receives = 0
        self._waited_s = 0.0
        self._most: tuple[int, str] | None = None
        self._patience_s: float | None = None
        self._beside_answer = self._is_back = False

    def limit_to(self, most: int, bound: str) -> None:
        """Refuse the request, now or while its body comes, if the body is longer than `most`.

        Args:
            most: how many bytes the body may have.
            bound: the name of the limit, for the error.

        Raises:
            Refusal: the Content-Length is larger than `most`.
        """
        self._most = most, bound
        self._check_size(self._left if self._chunks is None else 0)

    def go_on_beside_answer(self, patience_s: float | None) -> None:
        """Let the body go on while the answer is sent, as when an agent streams its events.

        Args:
            patience_s: how long the client may send nothing; None keeps the minimum rate.
        """
        self._patience_s, self._beside_answer = patience_s, True

    @property
    def ended(self) -> bool:
        """Whether the body has been read to its end."""
        return self._left == 0 if self._chunks is None else self._chunks.ended

    @property
    def framed_by(self) -> Header | None:
        """The header to put before the unread part of the body; None if there is no body."""
        if self._chunks is not None:
            return (b"Transfer-Encoding", b"chunked")
        return (b"Content-Length", b"%d" % self._left) if self._left else None

    @property
    def trailers(self) -> list[Header]:
        """The headers that follow the last chunk of the body; empty until the body has ended."""
        return [] if self._chunks is None else self._chunks.trailers

    def await_first(self) -> None:
        """Wait until the first bytes of the body have come.

        Raises:
            ClientGone: the client left.
            Refusal: no byte came in time.
        """
        if not (self._wire.ahead or self.ended):
            self._receive()

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Raises:
            ClientGone: the client left before the end.
            Refusal: the bytes are not HTTP, or came too slowly.
        """
        while not self.ended:
            piece = self._taken() if self._wire.ahead else b""
            if piece:
                yield piece
            elif not self.ended:
                self._receive()

    def skip_what_has_come(self) -> bool:
        """Skip the part of the body that has come; return whether the body has ended with it."""
        if self._beside_answer:
            return self.ended
        try:
            while self._wire.ahead and not self.ended and self._taken():
                pass
        except Refusal:
            return False
        return self.ended

    @property
    def kept_bytes(self) -> int:
        """How many bytes are in memory of a body that is read before it is passed on."""
        return self._left if self._is_back else self._taken_bytes

    def put_back(self, data: bytearray) -> None:
        """Put back the whole body, which was read to its end; its trailers are dropped."""
        self._chunks, self._is_back = None, True
        self._left, self._taken_bytes = len(data), 0
        self._wire.ahead[:0] = data

    def _taken(self) -> bytes:
        ahead = self._wire.ahead
        if self._chunks is not None:
            piece = self._chunks.decode(ahead)
            if self._chunks.crowded:
                self._wire.lane.pass_through(CROWDED_S)
        else:
            piece = bytes(ahead[: self._left])
            del ahead[: len(piece)]
            self._left -= len(piece)
        self._taken_bytes += len(piece)
        self._check_size(self._taken_bytes)
        return piece

    def _check_size(self, size: int) -> None:
        if self._most is not None and size > self._most[0]:
            most, bound = self._most
            raise Refusal(413, f"the body has more than {most} bytes ({bound})", bound=bound)

    def _receive(self) -> None:
        size = PIECE_BYTES if self._chunks is not None else min(self._left, PIECE_BYTES)
        if self._patience_s is not None:
            self._take_in(size, self._patience_s)
            return
        within_s = SILENT_S + self._taken_bytes / LEAST_BYTES_S - self._waited_s
        began = time.monotonic()
        if self._receives > _FEW_RECEIVES + self._received_bytes // _BYTES_A_RECEIVE:
            self._wire.lane.gather()
            within_s -= time.monotonic() - began
        if within_s <= 0:  # also reached if no receive waits, since bytes come one by one
            raise Refusal(
                408,
                f"the request body came too slowly: at less than {LEAST_BYTES_S} bytes a second",
            )
        self._take_in(size, within_s)
        self._waited_s += time.monotonic() - began
        self._receives += 1

    def _take_in(self, size: int, within_s: float) -> None:
        try:
            data = self._wire.receive(size, within_s)
        except GivenUp as error:
            raise Refusal(408, f"the request body is incomplete: {error}") from None
        except OSError as error:
            raise ClientGone from error
        if not data:
            raise ClientGone("the client left in the middle of the request body")
        self._received_bytes += len(data)
        self._wire.ahead += data
