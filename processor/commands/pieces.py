"""Answers that may be long are sent in pieces, so that no process has to hold a whole answer.

Each command returns a piece, and a token with which the gateway requests the next piece.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from gevent.lock import BoundedSemaphore
from msgspec import Struct

from bus.answers import PIECE_BYTES, AnswerBody, CommandFailed
from bus.commands import MessageGet, MessageList, More, SessionList, ToolOutput, TurnWait
from processor.commands import cursor
from processor.native.record import Services
from processor.store import messages, pieces, sessions
from processor.store.pieces import PieceStart

MAX_LIMIT = 1_000_000
# How many pieces the store reads at once. A piece takes about a millisecond, and other commands
# that need the store wait for no more than these pieces.
_AT_ONCE = 2
_LEAST_BYTES, _MOST_BYTES = 4 * 1024, PIECE_BYTES

T = TypeVar("T")


class _OfMessages(Struct, array_like=True, tag=1):
    place: PieceStart


class _OfSessions(Struct, array_like=True, tag=2):
    """The rowids of the sessions that later pieces have.

    A position in the list would not do: a session that changes moves to the front of the list.
    """

    rows: list[int]


class _OfOutput(Struct, array_like=True, tag=3):
    """The rest of a tool call's output, from the byte `start` on."""

    session: str
    output: str
    start: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_OfMessages | _OfSessions | _OfOutput).decode


class Pieces:
    """Reads long answers from the store, piece by piece."""

    def __init__(self, services: Services) -> None:
        self._database = services.database
        self._drafts = services.drafts
        self._at_once = BoundedSemaphore(_AT_ONCE)
        self._outputs = services.outputs

    def messages(self, c: MessageList) -> AnswerBody:
        """Return the first piece of a list of messages."""
        if c.before is not None and c.limit is None:
            raise CommandFailed("invalid", "before: needs limit")
        before = None if c.before is None else cursor.decode(c.before)
        limit = None if c.limit is None else _limit(c.limit)
        self._drafts.flush()
        json, place, older = self._read(pieces.of_session, c.session, limit, before, _size(c.size))
        return AnswerBody(
            json, None if older is None else cursor.encode(*older), _of_messages(place)
        )

    def message(self, c: MessageGet) -> AnswerBody:
        """Return the first piece of a message."""
        self._drafts.flush()
        json, place = self._read(pieces.of_message, c.session, c.message, _size(c.size))
        return AnswerBody(json, None, _of_messages(place))

    def answer(self, c: TurnWait) -> AnswerBody:
        """Return the first piece of the answer to a message; without an answer, of the message."""
        message = self._database.call(messages.answer_to, c.session, c.message)
        json, place = self._read(pieces.of_message, c.session, message, _size(c.size))
        return AnswerBody(json, None, _of_messages(place))

    def sessions(self, c: SessionList) -> AnswerBody:
        """Return the first piece of a list of sessions."""
        limit = _limit(c.limit)
        rows = self._read(sessions.listing, c.directory, c.roots, c.start, c.search, limit)
        return self._sessions(b"[", rows, c.size)

    def output(self, c: ToolOutput) -> AnswerBody:
        """Return the first piece of the whole output of a tool call."""
        self._database.call(sessions.check, c.session)
        return self._output(_OfOutput(c.session, c.output, 0), c.size)

    def more(self, c: More) -> AnswerBody:
        """Return the next piece of an answer: the piece that the command's token names."""
        try:
            token = _decode(c.token)
        except msgspec.MsgspecError as error:
            raise CommandFailed("invalid", f"token: {error}") from error
        if isinstance(token, _OfSessions):
            return self._sessions(b",", token.rows, c.size)
        if isinstance(token, _OfOutput):
            return self._output(token, c.size)
        json, place = self._read(pieces.onward, token.place, _size(c.size))
        return AnswerBody(json, None, _of_messages(place))

    def _output(self, at: _OfOutput, size: int) -> AnswerBody:
        size = _size(size)
        data = self._outputs.read(at.session, at.output, at.start, size)
        if data is None:
            raise CommandFailed("not_found", f"output: {at.output!r} does not exist any more")
        left = _OfOutput(at.session, at.output, at.start + size) if len(data) == size else None
        return AnswerBody(data, None, None if left is None else _encode(left))

    def _sessions(self, before: bytes, rows: list[int], size: int) -> AnswerBody:
        found, left = self._read(sessions.some, rows, _size(size))
        json = b",".join(found)
        # If all sessions of this piece have been removed meanwhile, the piece has no comma either.
        begin = before if json or before == b"[" else b""
        return AnswerBody(
            begin + json + (b"" if left else b"]"),
            None,
            _encode(_OfSessions(left)) if left else None,
        )

    def _read(self, job: Callable[..., T], *args: Any) -> T:
        with self._at_once:
            return self._database.call(job, *args)


def _of_messages(place: PieceStart | None) -> bytes | None:
    return None if place is None else _encode(_OfMessages(place))


def _size(asked: int) -> int:
    return max(_LEAST_BYTES, min(asked, _MOST_BYTES))


def _limit(value: int) -> int:
    if not 1 <= value <= MAX_LIMIT:
        raise CommandFailed("invalid", f"limit: {value} is not within 1 and {MAX_LIMIT}")
    return value
