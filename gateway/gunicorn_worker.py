"""Gunicorn's gevent worker, with a way out for what is not weir's own.

WSGI knows no trailers, no informational answers and no body cut short; so what the proxy serves
does not go through it.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import gevent
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
from gateway.proxy.proxy import Proxy
from gateway.proxy.target import own_route

log = logging.getLogger("weir.gateway")

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
        proxy: serves what is not weir's own; None where everything is.
    """

    proxy: Proxy | None = None

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve one parsed request; `StopIteration` closes the connection, as in gunicorn."""
        if self.proxy is None:
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
            stays_open = self.proxy.serve(incoming, sock)
        except (gevent.GreenletExit, SystemExit):
            # The worker stops: what has been written must not be followed by an error page.
            stays_open = False
        if not stays_open:
            raise StopIteration

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that could not be parsed."""
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
