"""Carries an answer from the processor to a client, a piece at a time.

The next piece is asked for once the client has taken the last one. So neither process ever holds
a whole list, and a client that reads slowly slows down nobody but itself.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from falcon import Request, Response
from gevent.lock import BoundedSemaphore
from msgspec.structs import replace

from bus.commands import (
    PIECE_BYTES,
    CommandFailed,
    Done,
    MessageGet,
    MessageList,
    More,
    SessionList,
    TurnWait,
)
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester
from gateway.door.own import WIRE
from gateway.resources.answer import answer
from gateway.streams.connection import StreamConnection
from gateway.streams.neighbour import Neighbours

log = logging.getLogger("weir.gateway")

_HELD_BYTES = 32 * 1024 * 1024
"""What all answers on their way may hold in a worker, unless they are very many."""
_SHARE = 8
_LEAST_BYTES = 32 * 1024
_WRITE_BYTES = 64 * 1024
_ASKED_AT_ONCE = 2
"""The processor reads one piece after the other; more at once would come as one burst."""
_TURN_WITHIN_S = 10.0

Long = TypeVar("Long", MessageList, MessageGet, SessionList, TurnWait, More)


class Courier:
    """Takes long answers to their clients.

    Args:
        requester: asks the processor.
        patience_s: how long a client may take to accept `_WRITE_BYTES`; then it is reset.

    Attributes:
        held: bytes of the pieces that are asked for, or being written.
    """

    def __init__(self, requester: Requester, patience_s: float) -> None:
        self.held = 0
        self._requester = requester
        self._patience_s = patience_s
        self._neighbours = Neighbours()
        self._turns = BoundedSemaphore(_ASKED_AT_ONCE)

    def ask(self, command: Long) -> Done:
        """Ask for a piece of an answer, after those that wait for their turn to ask.

        Raises:
            DeadlineExceeded: so many wait that no turn comes within `_TURN_WITHIN_S`.
        """
        if not self._turns.acquire(timeout=_TURN_WITHIN_S):
            raise DeadlineExceeded(
                f"the processor was busy with other answers for {_TURN_WITHIN_S:g} s"
            )
        try:
            return self.wait(command)
        finally:
            self._turns.release()

    def wait(self, command: Long, deadline_s: float | None = None) -> Done:
        """Ask for what may be long in coming; the more answers are on their way, the smaller."""
        share = (_HELD_BYTES - self.held) // _SHARE
        size = max(_LEAST_BYTES, min(share, PIECE_BYTES))
        self.held += size  # at once: others ask before this piece comes
        try:
            return self._requester.call(replace(command, size=size), deadline_s)
        finally:
            self.held -= size

    def deliver(self, req: Request, resp: Response, first: Done) -> None:
        """Make an answer that begins with `first` the answer to a request."""
        answer(resp, first.body)
        if first.more is None and len(first.body) <= _LEAST_BYTES:
            return
        wire = req.env.get(WIRE)
        connection = None
        if wire is not None:
            connection = StreamConnection(wire.sock, self._patience_s, self._neighbours)
        resp.data = None
        resp.stream = _Delivery(self, first, connection, self._patience_s)
        if first.more is None:
            resp.content_length = len(first.body)


class _Delivery:
    """An answer on its way, as WSGI wants it: an iterable of bytes that can be closed."""

    def __init__(
        self, courier: Courier, first: Done, connection: StreamConnection | None, patience_s: float
    ) -> None:
        self._courier = courier
        self._piece = first
        self._connection = connection
        self._patience_s = patience_s
        self._held = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield the answer.

        Raises:
            ConnectionResetError: it cannot be had to its end; clients must not take it for whole.
        """
        piece = self._piece
        del self._piece
        while True:
            self._hold(len(piece.body))
            for start in range(0, len(piece.body), _WRITE_BYTES):
                with self._deadline():
                    yield piece.body[start : start + _WRITE_BYTES]
            if piece.more is None:
                return
            token = piece.more
            del piece
            self._hold(0)
            piece = self._next(token)

    def close(self) -> None:
        """Release what is held; WSGI servers call this whatever happened."""
        self._hold(0)

    def _next(self, token: bytes) -> Done:
        try:
            return self._courier.ask(More(token))
        except (CommandFailed, ProcessorGone, DeadlineExceeded) as error:
            log.warning("an answer is cut off: %s", error)
            if self._connection is not None:
                self._connection.reset(str(error))
            raise ConnectionResetError(errno.ECONNRESET, str(error)) from error

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        """Reset the client if the write within takes too long."""
        if self._connection is None:
            yield
            return
        with self._connection.deadline(self._patience_s, "the client does not take the answer"):
            yield

    def _hold(self, size: int) -> None:
        self._courier.held += size - self._held
        self._held = size
