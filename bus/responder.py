"""The answering end of the command channel: one greenlet a command, and always an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
import msgspec
import zmq

from bus.commands import Answer, Body, Command, CommandFailed, Done, Failed, Request
from bus.malformed import MALFORMED

log = logging.getLogger("weir.bus")

Handler = Callable[[Command], Body | tuple[bytes, str | None]]


class _RequestId(msgspec.Struct, array_like=True):
    """As much of a request as an answer needs, when the rest of it is malformed."""

    id: int


class Responder:
    """Answers commands that arrive at a ROUTER socket.

    Args:
        socket: a bound ROUTER socket of a green context.
        handler: carries a command out; returns the JSON body and a cursor, or raises
            `CommandFailed`.
    """

    def __init__(self, socket: zmq.Socket[bytes], handler: Handler) -> None:
        self._socket = socket
        self._handler = handler
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Request).decode
        self._decode_id = msgspec.msgpack.Decoder(_RequestId).decode

    def run(self) -> None:
        """Receive commands for ever; a greenlet of its own."""
        while True:
            peer, *frames = self._socket.recv_multipart()
            gevent.spawn(self._serve, peer, b"".join(frames))

    def _serve(self, peer: bytes, data: bytes) -> None:
        answer = self._answer(data)
        if answer is None:
            return
        try:
            self._socket.send_multipart([peer, self._encode(answer)], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.warning("an answer was dropped: %s", error)

    def _answer(self, data: bytes) -> Answer | None:
        try:
            request = self._decode(data)
        except MALFORMED as error:
            log.warning("malformed command of %d bytes: %s", len(data), error)
            return self._refusal(data, str(error))
        try:
            body = self._handler(request.command)
        except CommandFailed as failure:
            return failure.answer(request.id)
        except Exception:
            log.exception("%s failed", type(request.command).__name__)
            return Failed(request.id, "internal", "the processor failed; its log says why")
        return Done(request.id, *body)

    def _refusal(self, data: bytes, message: str) -> Failed | None:
        try:
            return Failed(self._decode_id(data).id, "invalid", message)
        except MALFORMED:
            return None
