"""Passes one request on to the upstream, and at the same time the answer back to the client.

The greenlet that serves the client reads the answer; if the request has a body, a second greenlet
sends the body. The two greenlets affect each other in three ways only: an error of one ends the
other; each piece that the sender sends restarts the reader's timeout; the client's connection is
used again only if both have finished.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import gevent
import h11

from bus.process.fairness import TimeSlice
from gateway.door.request import Request
from gateway.proxy.connection import NothingHeard, UpstreamConnection
from gateway.proxy.failures import ClientGone, Refusal, UpstreamFailed, UpstreamSilent
from gateway.proxy.framing import BodyFraming
from gateway.proxy.headers import Header, end_to_end
from gateway.proxy.patience import Patience
from gateway.proxy.piece_buffer import PieceBuffer
from gateway.proxy.upgrade import names_websocket
from gateway.streams.peer_watch import PeerWatch


class Exchange:
    """One request and its answer, passed on between client and upstream; runs once.

    Args:
        incoming: the client's request.
        target: the request target for the upstream.
        headers: the request headers for the upstream.
        upstream: a connection on which no other request is in progress.
        framing: converts the answer into bytes for the client.
        patience: measures for how long the upstream sends nothing.
        returned: replaces the upstream's paths in the headers of the answer.

    Attributes:
        sent: the whole request has been sent.
        answer: status and headers of the answer; None until they have come.
        switched: the answer was 101, and both connections speak WebSocket from now on.
    """

    def __init__(
        self,
        incoming: Request,
        target: bytes,
        headers: list[Header],
        upstream: UpstreamConnection,
        framing: BodyFraming,
        patience: Patience,
        returned: Callable[[list[Header]], list[Header]] = list,
    ) -> None:
        self.sent = False
        self.answer: h11.Response | None = None
        self.switched = False
        self._incoming = incoming
        self._target = target
        self._headers = headers
        self._upstream = upstream
        self._framing = framing
        self._patience = patience
        self._returned = returned
        self._watch: PeerWatch | None = None
        self._ended: Exception | None = None
        self._outlet = PieceBuffer(incoming.wire)

    def run(self) -> None:
        """Pass on the request and its whole answer; of a WebSocket only the handshake, up to 101.

        Raises:
            ClientGone: the client left; the connection to the upstream is closed.
            Refusal: the upstream failed, before its answer began or in the middle of the answer
                (then `BodyFraming.begun` is true).
        """
        sender = None
        try:
            self._send_head()
            if self._incoming.framed_by is None:
                self._send_end()
            else:
                sender = gevent.spawn(self._send_body)
            self._relay()
        except (OSError, h11.RemoteProtocolError) as error:
            self._outlet.flush()
            raise self._ended or UpstreamFailed(self._broke_off(error)) from error
        finally:
            if sender is not None:
                sender.kill()
            if self._watch is not None:
                self._watch.close()

    def _send_head(self) -> None:
        incoming = self._incoming
        try:
            request = h11.Request(
                method=incoming.method, target=self._target, headers=self._headers
            )
            self._upstream.send(request)
        except h11.LocalProtocolError as error:
            raise Refusal(400, f"the request cannot be passed on: {error}") from error

    def _send_body(self) -> None:
        turn = TimeSlice()
        try:
            for piece in self._incoming.body.pieces():
                self._upstream.send(h11.Data(data=piece))
                self._patience.broken()
                turn.pass_on_if_over()
            self._send_end()
        except (ClientGone, Refusal) as error:
            self._end(error)
        except (OSError, h11.LocalProtocolError):
            # The upstream takes no more of the body. It may have sent an answer already, which the
            # reading greenlet gets, or else that greenlet raises the error.
            return

    def _send_end(self) -> None:
        """Send the end of the request; from now on, watch whether the client disconnects."""
        self._upstream.send(h11.EndOfMessage(headers=end_to_end(self._incoming.trailers)))
        self.sent = True
        self._watch = PeerWatch(self._incoming.wire.sock, lambda _: self._end(ClientGone()))

    def _end(self, error: Exception) -> None:
        """Give up the exchange and its connection to the upstream. Does not block."""
        self._ended = self._ended or error
        self._upstream.abort()

    def _relay(self) -> None:
        """Pass the answer to the client; write all received bytes before waiting for more."""
        turn = TimeSlice()
        while True:
            event = self._upstream.next_event()
            if isinstance(event, h11.Data):
                self._outlet.write(self._framing.data(event.data))
            elif event is h11.NEED_DATA:
                self._outlet.flush()
                self._receive()
            elif isinstance(event, h11.Response):
                self.answer = event
                status, reason, headers = _of(event)
                self._outlet.write(self._framing.head(status, reason, self._returned(headers)))
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
                    self._switch(event)
                    return
                self._outlet.write(self._framing.informational(*_of(event)))
            elif isinstance(event, h11.EndOfMessage):
                self._outlet.write(self._framing.end(event.headers.raw_items()))
                self._outlet.flush()
                return
            turn.pass_on_if_over()

    def _switch(self, answer: h11.InformationalResponse) -> None:
        headers = answer.headers.raw_items()
        if not names_websocket(headers):
            raise UpstreamFailed("the upstream switches to a protocol that is not websocket")
        self._outlet.write(self._framing.switching(answer.reason, headers))
        self._outlet.flush()
        self.switched = True

    def _receive(self) -> None:
        while True:
            try:
                self._upstream.receive(self._patience.left_s)
            except NothingHeard:
                if not self._patience.extended():
                    raise self._ended or UpstreamSilent("the upstream sends nothing") from None
            else:
                break
        self._patience.broken()
        if self._ended is not None:
            raise self._ended

    def _broke_off(self, error: Exception) -> str:
        if not self._upstream.heard:
            return "the upstream closed the connection before it answered"
        if isinstance(error, h11.RemoteProtocolError):
            return f"the upstream's answer is not HTTP, or incomplete: {error}"
        return f"the upstream cut its answer off: {error}"


def _of(event: h11.Response | h11.InformationalResponse) -> tuple[int, bytes, list[Header]]:
    return event.status_code, event.reason, event.headers.raw_items()
