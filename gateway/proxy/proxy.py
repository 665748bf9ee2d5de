"""Serves all requests for routes that are not weir's own: passes them on to the upstream."""

from __future__ import annotations

import logging
import time
from functools import partial
from http import HTTPStatus

import h11

from bus.origin import Origin
from gateway.cors import Cors
from gateway.door.request import Request
from gateway.errors import error_body
from gateway.proxy import probe
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.dial import dial
from gateway.proxy.exchange import Exchange
from gateway.proxy.failures import ClientGone, Refusal, UpstreamFailed
from gateway.proxy.framing import BodyEnding, BodyFraming
from gateway.proxy.headers import Header, towards_upstream
from gateway.proxy.origins import UpstreamOrigins, allowed_by
from gateway.proxy.patience import Patience
from gateway.proxy.piece_buffer import PieceBuffer
from gateway.proxy.pool import Pool
from gateway.proxy.returned import ReturnedPaths
from gateway.proxy.target import below
from gateway.proxy.tunnels import Tunnels
from gateway.proxy.upgrade import HANDSHAKE, asks_for_websocket, names_websocket

log = logging.getLogger("weir.gateway")

MOST_TUNNELS = 256
_NO_CONNECT = "CONNECT is not supported: weir passes requests on to its upstream only"
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


class Proxy:
    """The reverse proxy of one worker.

    Args:
        origin: the upstream.
        timeout_s: for how many seconds the upstream may send nothing before it is probed.
        cors: the CORS headers for errors of weir; the upstream's answers have their own headers.
        origins: records which origins the upstream's answers allow; None: nothing is recorded.
        most_tunnels: how many WebSockets may be open.
        base: the path under which weir itself is served; empty for ``/``.

    Attributes:
        requests: how many requests have ended, by the class of their status (``2xx``; ``1xx`` are
            WebSockets); ``none`` if the client left before the answer began.
        tunnels: the open WebSockets.
    """

    def __init__(
        self,
        origin: Origin,
        timeout_s: float,
        cors: Cors,
        origins: UpstreamOrigins | None = None,
        most_tunnels: int = MOST_TUNNELS,
        base: str = "",
    ) -> None:
        self._origin = origin
        self._timeout_s = timeout_s
        self._cors = cors
        self._origins = origins
        self._returned = ReturnedPaths(origin, base)
        self._pool = Pool(lambda: UpstreamConnection(dial(origin)))
        self.tunnels = Tunnels(most_tunnels)
        self._serving = 0
        self.requests = dict.fromkeys(("2xx", "3xx", "4xx", "5xx", "none"), 0)

    @property
    def in_flight(self) -> int:
        """How many requests are in progress; open WebSockets are not counted."""
        return self._serving - len(self.tunnels)

    def serve(self, incoming: Request) -> bool:
        """Answer one request; return whether the connection may serve another one."""
        framing = BodyFraming(
            incoming.method, incoming.http11, incoming.keep_alive, incoming.answered
        )
        self._serving += 1
        try:
            return self._serve(incoming, framing)
        finally:
            self._serving -= 1
            kind = "none" if framing.status is None else f"{framing.status // 100}xx"
            self.requests[kind] = self.requests.get(kind, 0) + 1

    def _serve(self, incoming: Request, framing: BodyFraming) -> bool:
        outlet = PieceBuffer(incoming.wire)
        try:
            if incoming.method == "CONNECT":
                raise Refusal(501, _NO_CONNECT)
            if asks_for_websocket(incoming):
                with self.tunnels.place():
                    sent = self._forward(incoming, framing, websocket=True)
            else:
                sent = self._forward(incoming, framing)
        except ClientGone:
            return False
        except Refusal as refusal:
            _log(incoming, refusal)
            return self._give_up(incoming, framing, outlet, refusal)
        except Exception:
            log.exception("the request %s %.200r failed", incoming.method, incoming.path)
            failed = Refusal(500, "the gateway failed; its log says why")
            return self._give_up(incoming, framing, outlet, failed)
        if not sent or names_websocket(incoming.headers):
            incoming.wire.close_gently()
        return sent and framing.keep_alive

    def _forward(self, incoming: Request, framing: BodyFraming, websocket: bool = False) -> bool:
        """Pass on a request and its answer; if the idle connection was closed, use a second one.

        If the answer to the handshake of a WebSocket is 101, pass bytes until the WebSocket ends.

        Returns whether the whole request was read and sent.
        """
        if not incoming.expects_continue:
            # A client that announces a body and sends nothing uses no upstream connection.
            incoming.body.await_first()
        repeatable = incoming.method in _REPEATABLE and incoming.framed_by is None
        repeatable = repeatable and not websocket
        while True:
            upstream = self._pool.take(repeatable)
            try:
                return self._exchange(incoming, framing, upstream, websocket)
            except UpstreamFailed:
                if not upstream.reused or upstream.heard:
                    raise
                log.debug("an idle connection to the upstream was stale")
            repeatable = False

    def _exchange(
        self,
        incoming: Request,
        framing: BodyFraming,
        upstream: UpstreamConnection,
        websocket: bool,
    ) -> bool:
        patience = Patience(self._timeout_s, partial(probe.lives, self._origin), time.monotonic)
        target = below(self._origin.path, incoming.target)
        headers = self._headers(incoming) + (HANDSHAKE if websocket else [])
        exchange = Exchange(incoming, target, headers, upstream, framing, patience, self._returned)
        try:
            exchange.run()
        except BaseException:
            upstream.close()
            raise
        finally:
            self._learn(incoming, exchange.answer)
        if exchange.switched:
            incoming.forget_head()
            self.tunnels.run(incoming.wire, upstream)
        elif exchange.sent:
            self._pool.give_back(upstream)
        else:
            upstream.close()
        return exchange.sent

    def _learn(self, incoming: Request, answer: h11.Response | None) -> None:
        """If the answer allows the request's origin (CORS), record that the upstream allows it."""
        origin = incoming.header(b"origin")
        if self._origins is None or answer is None or not origin:
            return
        if allowed_by(answer, origin):
            self._origins.note(origin, True)

    def _headers(self, incoming: Request) -> list[Header]:
        headers = towards_upstream(
            incoming.headers,
            authority=self._origin.authority,
            client=incoming.client,
            body=incoming.framed_by,
            trusted=incoming.trusted,
            scheme=incoming.wire.scheme,
        )
        login = self._origin.login
        if login is not None and incoming.principal is not None:
            headers.append((b"Authorization", login.basic.encode()))
        return headers

    def _give_up(
        self, incoming: Request, framing: BodyFraming, outlet: PieceBuffer, refusal: Refusal
    ) -> bool:
        """Answer with an error; if an answer has begun already, break it off."""
        if framing.begun:
            # With chunks or a length, the client sees that the answer is incomplete. Without them,
            # only a reset of the connection shows this.
            if framing.ending is BodyEnding.CLOSE:
                incoming.wire.reset()
            return False
        framing.keep_alive = framing.keep_alive and incoming.framed_by is None
        try:
            self._answer(incoming, framing, outlet, refusal)
        except ClientGone:
            return False
        if incoming.framed_by is not None or names_websocket(incoming.headers):
            incoming.wire.close_gently()
        return framing.keep_alive

    def _answer(
        self, incoming: Request, framing: BodyFraming, outlet: PieceBuffer, refusal: Refusal
    ) -> None:
        detail = {} if refusal.bound is None else {"bound": refusal.bound}
        body = error_body(refusal.status, refusal.message, **detail)
        origin = incoming.header(b"origin")
        headers = [
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"%d" % len(body)),
            *((k.encode(), v.encode("latin-1")) for k, v in self._cors.headers(origin)),
        ]
        if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append((b"Retry-After", b"1"))
        reason = HTTPStatus(refusal.status).phrase.encode()
        outlet.write(framing.head(refusal.status, reason, headers))
        outlet.write(framing.data(body))
        outlet.flush()


def _log(incoming: Request, refusal: Refusal) -> None:
    """Log failures of the upstream as warnings, and mistakes of clients at level debug only."""
    level = logging.WARNING if refusal.status >= HTTPStatus.BAD_GATEWAY else logging.DEBUG
    path, status = incoming.path, refusal.status
    log.log(level, "%s %.200r: %d, %s", incoming.method, path, status, refusal)
