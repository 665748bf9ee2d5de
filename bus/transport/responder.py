"""The answering end of the command channel: a greenlet for each command, and always an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext

import gevent
import msgspec
from gevent.lock import BoundedSemaphore

from bus.answers import Answer, AnswerBody, CommandFailed, Done, Failed
from bus.commands import Command, IsOpen, NumberedCommand, Replay, SnapshotGet
from bus.malformed import MALFORMED, worth_a_line
from bus.process.fairness import COMMANDS_A_TURN
from bus.transport.link import ServerEnd

log = logging.getLogger("weir.bus")

# Each of these commands takes tens of megabytes for a moment.
_BULKY = (Replay, SnapshotGet)
_BULKY_AT_ONCE = 2

Handler = Callable[[Command], AnswerBody | tuple[bytes, str | None]]


class _RequestId(msgspec.Struct, array_like=True):
    """The first field of a request, enough to answer when the rest is malformed."""

    id: int


class Responder:
    """Answers the commands of all requesters.

    Args:
        link: to the requesters; a message begins with the name of its sender.
        handler: executes a command; returns the JSON body and a cursor, or raises `CommandFailed`.
    """

    def __init__(self, link: ServerEnd, handler: Handler) -> None:
        self._link = link
        self._handler = handler
        self._malformed = 0
        self._bulky = BoundedSemaphore(_BULKY_AT_ONCE)
        self._open: set[tuple[bytes, int]] = set()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(NumberedCommand).decode
        self._decode_id = msgspec.msgpack.Decoder(_RequestId).decode

    def run(self) -> None:
        """Receive commands for ever, in a greenlet of its own."""
        while True:
            for _ in range(COMMANDS_A_TURN):
                peer, *frames = self._link.receive()
                gevent.spawn(self._serve, peer, b"".join(frames))
            gevent.sleep(0)  # `receive` lets no other greenlet run if a message has come already

    def _serve(self, peer: bytes, data: bytes) -> None:
        try:
            request = self._decode(data)
        except MALFORMED as error:
            self._malformed += 1
            if worth_a_line(self._malformed):
                said, number = str(error), self._malformed
                log.warning(
                    "a malformed command of %d bytes was refused: %r (number %d since start)",
                    len(data),
                    said,
                    number,
                )
            refusal = self._refusal(data, str(error))
            if refusal is not None:
                self._send(peer, refusal)
            return
        if isinstance(request.command, IsOpen):
            is_open = (peer, request.command.request) in self._open
            self._send(peer, Done(request.id, b"true" if is_open else b"false"))
            return
        self._open.add((peer, request.id))
        try:
            with self._bulky if isinstance(request.command, _BULKY) else nullcontext():
                self._send(peer, self._answer(request))
        finally:
            self._open.discard((peer, request.id))

    def _send(self, peer: bytes, answer: Answer) -> None:
        data = self._encode(answer)
        if not self._link.send(peer, data):
            log.warning(
                "an answer of %d bytes was dropped, since the gateway reads its answers too "
                "slowly; the gateway's request will time out",
                len(data),
            )

    def _answer(self, request: NumberedCommand) -> Answer:
        try:
            body = self._handler(request.command)
        except CommandFailed as failure:
            return failure.answer(request.id)
        except Exception:
            log.exception(
                "command %s failed because of an error in weir", type(request.command).__name__
            )
            return Failed(request.id, "internal", "the processor failed; its log says why")
        return Done(request.id, *body)

    def _refusal(self, data: bytes, message: str) -> Failed | None:
        try:
            return Failed(self._decode_id(data).id, "invalid", message)
        except MALFORMED:
            return None
