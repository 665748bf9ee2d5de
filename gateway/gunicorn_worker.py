"""Gunicorn's gevent worker, with a way out for what is not weir's own, and an end in order.

WSGI knows no trailers, no informational answers and no body cut short; so what the proxy serves
does not go through it.

At its end, which is a stop or a reload, a worker takes no more connections: they wait in the
listening socket, which the master and the other workers hold as well. Readers are let go one by
one, other requests are finished, and connections that wait for nothing are closed; one that has
just come is given a moment to say what it wants. At a stop the master's patience ends first
(`graceful_timeout`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn import util
from gunicorn.http.errors import (
    ConfigurationProblem,
    ExpectationFailed,
    ForbiddenProxyRequest,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.ggevent import GeventWorker

from gateway.errors import error_body
from gateway.proxy.incoming import Incoming
from gateway.proxy.target import own_route

if TYPE_CHECKING:
    from gateway.app import Worker  # loaded by each worker itself: a reload loads it anew

log = logging.getLogger("weir.gateway")

_TICK_S = 0.1
_FINISH_WITHIN_S = 60.0
_SPEAK_WITHIN_S = 0.5
_KILL_WITHIN_S = 1.0

_STATUS_OF: dict[type[Exception], int] = {
    ForbiddenProxyRequest: 403,
    LimitRequestLine: 414,
    ExpectationFailed: 417,
    LimitRequestHeaders: 431,
    ConfigurationProblem: 500,
    UnsupportedTransferCoding: 501,
}


class GatewayWorker(GeventWorker):  # type: ignore[misc]
    """Hands a request to the proxy or to WSGI, and refuses malformed ones in JSON.

    Attributes:
        gateway: what it serves with; set before it runs.
    """

    gateway: Worker

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fresh: set[Any] = set()  # connections whose first request is not read yet
        self._served: set[Any] = set()  # connections whose request is not answered yet

    def run(self) -> None:
        """Serve until the worker is told to stop, then end in order."""
        servers = [self._server(listener) for listener in self.sockets]
        while self.alive:
            self.notify()
            gevent.sleep(_TICK_S)
        for server in servers:
            server.close()
        self._finish()
        for server in servers:
            server.pool.kill(timeout=_KILL_WITHIN_S)
        self.gateway.sign_off()

    def _server(self, listener: Any) -> Any:
        listener.setblocking(1)
        pool = Pool(self.worker_connections)
        server = StreamServer(listener, handle=partial(self.handle, listener), spawn=pool)
        if self.cfg.workers > 1:
            server.max_accept = 1
        server.start()
        return server

    def _finish(self) -> None:
        """Let readers go, and wait until what others have asked for is answered."""
        draining = gevent.spawn(self.gateway.drain)
        began = time.monotonic()
        while not draining.ready() or self._unfinished(time.monotonic() - began):
            self.notify()
            gevent.sleep(_TICK_S)
        if self._served:
            log.warning("%d requests are broken off", len(self._served))

    def _unfinished(self, waited_s: float) -> bool:
        """Tell whether there is something to wait for, once readers are let go."""
        if self._served:
            return not self.gateway.broken and waited_s < _FINISH_WITHIN_S
        return bool(self._fresh) and waited_s < _SPEAK_WITHIN_S

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection to its end."""
        self._fresh.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._fresh.discard(client)

    @contextmanager
    def _serving(self, client: Any) -> Iterator[None]:
        self._fresh.discard(client)
        self._served.add(client)
        try:
            yield
        finally:
            self._served.discard(client)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve one parsed request; `StopIteration` closes the connection, as in gunicorn."""
        with self._serving(sock):
            self._serve(listener_name, req, sock, addr)

    def _serve(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        proxy = self.gateway.proxy
        if proxy is None:
            super().handle_request(listener_name, req, sock, addr)
            return
        route = own_route(req.path)
        if route is not None and req.method != "CONNECT":
            req.path = route
            super().handle_request(listener_name, req, sock, addr)
            return
        incoming = Incoming(req, addr)
        if not self.alive:
            incoming.keep_alive = False
        try:
            stays_open = proxy.serve(incoming, sock)
        except (gevent.GreenletExit, SystemExit):
            # The worker stops: what has been written must not be followed by an error page.
            stays_open = False
        if not stays_open:
            raise StopIteration

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that could not be parsed; say nothing where the worker stops."""
        if isinstance(exc, gevent.GreenletExit):
            return
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = _STATUS_OF.get(type(exc), 400)
        log.warning("a malformed request from %s: %s", addr[0] if addr else "", exc)
        body = error_body(status, str(exc) or HTTPStatus(status).phrase)
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode() + body)
        except OSError:
            log.debug("the sender of a malformed request did not wait for the answer")
