"""Takes connections, and serves the requests of each connection, one after another."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from wsgiref.types import WSGIApplication

import gevent

from bus.process.fairness import TimeSlice, Turnstile
from gateway.access.access import Access
from gateway.access.browsers import asks_for_private_network
from gateway.access.credentials import hide_credentials
from gateway.access.identity import ANYBODY
from gateway.base_path import AT_ROOT, BasePath
from gateway.door import own
from gateway.door.networks import Networks
from gateway.door.reception import receive_head
from gateway.door.request import Request
from gateway.door.slots import Slots
from gateway.door.slow_lane import SlowLane
from gateway.door.wire import Wire
from gateway.errors import error_body
from gateway.own_routes import PROBES, is_foreign_stream, own_route
from gateway.proxy.failures import ClientGone, Refusal
from gateway.proxy.framing import BodyFraming
from gateway.proxy.headers import Header
from gateway.proxy.proxy import Proxy
from gateway.proxy.upgrade import names_websocket, refuse_upgrade

log = logging.getLogger("weir.gateway")

_RETRY_AFTER = "Retry-After: 1\r\n"


class Door:
    """Serves the HTTP connections of one worker.

    Args:
        app: answers weir's own routes.
        proxy: passes all other routes on to the upstream; None without an upstream.
        slots: registers the connections, and limits how many there are.
        trusted: proxies whose ``X-Forwarded-*`` headers are believed.
        access: finds out who sends a request, and whether the request is allowed.
        base: the path under which weir serves everything.
        tls: has the certificate; None for plain HTTP.

    Attributes:
        fresh: connections whose first request is not read yet.
        served: connections whose request is not answered yet.
        closing: returns whether the worker is stopping; then each connection ends after its
            answer.
        slots: registers the connections, and limits how many there are.
    """

    def __init__(
        self,
        app: WSGIApplication,
        proxy: Proxy | None,
        slots: Slots,
        trusted: Networks,
        access: Access,
        base: BasePath = AT_ROOT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.fresh: set[Wire] = set()
        self.served: set[Wire] = set()
        self.closing: Callable[[], bool] = lambda: False
        self.slots = slots
        self._app = app
        self._proxy = proxy
        self._trusted = trusted
        self._access = access
        self._base = base
        self._tls = tls
        self._handshakes = Turnstile()
        self._lane = SlowLane()

    def serve(self, sock: socket.socket, address: str) -> None:
        """Serve a connection until it ends, and close it.

        If a request opens an event stream, return at once: the stream goes on without a greenlet.
        """
        wire = Wire(sock, address, self.slots, self._lane)
        self.fresh.add(wire)
        try:
            if self._tls is not None:
                self._handshakes.pass_through()
                wire.secure(self._tls)
            self._serve_all(wire, address in self._trusted)
        except ssl.SSLError as error:
            log.debug("TLS with %s failed, connection closed: %s", address, error.reason or error)
        except (OSError, ClientGone):
            log.debug("the connection from %s is broken; nothing more is sent", address)
        except (gevent.GreenletExit, SystemExit):
            pass  # the worker stops; a part of an answer may be sent, so no error may follow
        finally:
            self.fresh.discard(wire)
            if not wire.handed_over:
                wire.end()

    def _serve_all(self, wire: Wire, trusted: bool) -> None:
        turn = TimeSlice()
        while True:
            try:
                head = receive_head(wire)
                if head is None:
                    return
                request = Request(head, wire, trusted, self._base)
                del head
                with self._serving(wire, request):
                    if not self._answer(request):
                        return
            except Refusal as refusal:
                log.debug(
                    "a request from %s is refused, and its connection closed: %s",
                    wire.address,
                    refusal,
                )
                _refuse(wire, refusal)
                return
            turn.pass_on_if_over()

    @contextmanager
    def _serving(self, wire: Wire, request: Request) -> Iterator[None]:
        self.fresh.discard(wire)
        wire.begin_request(own_route(request.path) in PROBES)
        self.served.add(wire)
        try:
            yield
        except Refusal as refusal:
            request.answered(refusal.status)
            raise
        finally:
            request.answered(None)
            self._access.forget(request)
            wire.end_request()
            self.served.discard(wire)

    def _answer(self, request: Request) -> bool:
        """Serve a request; return whether its connection may serve another request."""
        # A request that asks for a WebSocket is the last of its connection: bytes after the
        # handshake must never be read as a request.
        keep_alive = request.keep_alive and not names_websocket(request.headers)
        keep_alive = keep_alive and not self.closing()
        route = request.path if self._proxy is None else own_route(request.path)
        try:
            # CONNECT needs no check here: the proxy and weir's own routes both refuse it.
            if request.method != "CONNECT" and self._admit(request, route):
                body = self._access.list_for(request)
                return self._say(request, HTTPStatus.OK, body, (), keep_alive)
        except Refusal as refusal:
            return self._turn_away(request, refusal, keep_alive)
        passes_on = route is None or request.method == "CONNECT"
        if self._proxy is not None and passes_on and not asks_for_private_network(request):
            request.keep_alive = keep_alive
            return self._proxy.serve(request)
        return own.serve(self._app, request, route or request.path, keep_alive)

    def _admit(self, request: Request, route: str | None) -> bool:
        """Find out who sends a request, and check that the request is allowed.

        Return whether weir must answer with a filtered list, since the sender may see only some
        folders or sessions.

        Raises:
            Refusal: the request is not allowed.
        """
        # A server may read the mark # as any other character, and so another path or query.
        spelt = request.target.partition(b"?")[0].decode("ascii")
        admission = self._access.admit(request, spelt if route is None else route)
        request.principal, request.scope = admission.principal, admission.scope
        request.wire.principal = admission.principal
        if admission.principal not in (None, ANYBODY):
            hide_credentials(request)
        if self._proxy is None or route is not None:
            refuse_upgrade(request)
        if route is None and is_foreign_stream(request.path):
            words = "weir does not pass this event stream on; use /event or /global/event"
            raise Refusal(501, words)
        return admission.filters

    def _turn_away(self, request: Request, refusal: Refusal, keep_alive: bool) -> bool:
        """Answer a request that is not allowed; return whether the connection serves another."""
        log.debug("%s %.200r is refused: %s", request.method, request.path, refusal)
        detail = {} if refusal.bound is None else {"bound": refusal.bound}
        body = error_body(refusal.status, refusal.message, **detail)
        return self._say(request, refusal.status, body, refusal.headers, keep_alive)

    def _say(
        self,
        request: Request,
        status: int,
        body: bytes,
        headers: Sequence[tuple[str, str]],
        keep_alive: bool,
    ) -> bool:
        """Answer a request with JSON; return whether the connection may serve another request."""
        origin = request.header(b"origin") or None
        all_headers = [
            *(_header(pair) for pair in (*headers, *self._access.cors.headers(origin))),
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"%d" % len(body)),
        ]
        stays = keep_alive and request.body.skip_what_has_come()
        framing = BodyFraming(request.method, request.http11, stays, request.answered)
        head = framing.head(status, HTTPStatus(status).phrase.encode(), all_headers)
        request.wire.send(head + framing.data(body))
        if not stays:
            request.wire.close_gently()
        return stays


def _header(pair: tuple[str, str]) -> Header:
    return pair[0].encode(), pair[1].encode("latin-1")


def _refuse(wire: Wire, refusal: Refusal) -> None:
    """Answer a malformed request with an error, and end its connection."""
    body = error_body(refusal.status, refusal.message)
    head = (
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}\r\n"
        f"Connection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"{_RETRY_AFTER if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else ''}\r\n"
    )
    wire.send(head.encode() + body)
    wire.close_gently()
