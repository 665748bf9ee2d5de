"""Passes a long answer from the processor to a client, in pieces.

The next piece is requested once the client has taken the last piece. So neither process has the
whole answer in memory, and a client that reads slowly delays no other client.
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

from bus.answers import PIECE_BYTES, CommandFailed, Done
from bus.commands import MessageGet, MessageList, More, SessionList, ToolOutput, TurnWait
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester
from gateway.door.own import WIRE
from gateway.resources.answer import answer
from gateway.streams.connection import StreamConnection
from gateway.streams.neighbour import Neighbours

log = logging.getLogger("weir.gateway")

_HELD_BYTES = 32 * 1024 * 1024
"""About how many bytes all answers in progress may have in a worker's memory together.

Each answer may always have a piece of `_LEAST_BYTES`, so very many answers have more.
"""
_SHARE = 8
_LEAST_BYTES = 32 * 1024
_WRITE_BYTES = 64 * 1024
_ASKED_AT_ONCE = 2
"""How many pieces a worker requests at once; the processor reads one piece after another."""
_TURN_WITHIN_S = 10.0

Long = TypeVar("Long", MessageList, MessageGet, SessionList, TurnWait, ToolOutput, More)


class Courier:
    """Passes long answers to their clients.

    Args:
        requester: sends commands to the processor.
        patience_s: how many seconds a client may take to accept `_WRITE_BYTES`; after that, its
            connection is reset.

    Attributes:
        held: bytes of all pieces that are requested or being written to clients.
    """

    def __init__(self, requester: Requester, patience_s: float) -> None:
        self.held = 0
        self._requester = requester
        self._patience_s = patience_s
        self._neighbours = Neighbours()
        self._turns = BoundedSemaphore(_ASKED_AT_ONCE)

    def ask(self, command: Long) -> Done:
        """Request a piece of an answer; if too many are requested now, wait until one has come.

        Raises:
            DeadlineExceeded: the caller had to wait longer than `_TURN_WITHIN_S`.
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
        """Request a piece at once; the more answers are in progress, the smaller the piece."""
        share = (_HELD_BYTES - self.held) // _SHARE
        size = max(_LEAST_BYTES, min(share, PIECE_BYTES))
        self.held += size  # counted before the piece comes, for the requests that follow meanwhile
        try:
            return self._requester.call(replace(command, size=size), deadline_s)
        finally:
            self.held -= size

    def deliver(self, req: Request, resp: Response, first: Done) -> None:
        """Answer a request with `first`, the first piece, and with all further pieces."""
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
    """The body of an answer for WSGI: an iterable of bytes with `close`."""

    def __init__(
        self, courier: Courier, first: Done, connection: StreamConnection | None, patience_s: float
    ) -> None:
        self._courier = courier
        self._piece = first
        self._connection = connection
        self._patience_s = patience_s
        self._held = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes of the answer.

        Raises:
            ConnectionResetError: the next piece cannot be fetched; the connection is reset, so
                that the client sees that the answer is incomplete.
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
        """Count the answer's bytes no more; a WSGI server always calls this at the end."""
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
        """Reset the client's connection if the write in the block takes too long."""
        if self._connection is None:
            yield
            return
        with self._connection.deadline(self._patience_s, "the client does not take the answer"):
            yield

    def _hold(self, size: int) -> None:
        self._courier.held += size - self._held
        self._held = size
