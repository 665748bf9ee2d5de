"""Lets the Falcon application answer a request for one of weir's own routes, over WSGI."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication

from gateway.door.request import Request
from gateway.door.wsgi_input import WsgiInput
from gateway.proxy.failures import ClientGone, Refusal
from gateway.proxy.framing import BodyEnding, BodyFraming
from gateway.proxy.headers import Header
from gateway.streams.stream import Stream

WIRE = "weir.wire"
"""The key in the WSGI environ under which a route finds the connection (`Wire`)."""
RAW_PATH = "weir.path"
"""The key in the WSGI environ for the path as the client sent it.

A browser resolves relative URLs by this path, so a slash at its end matters.
"""
SCOPE = "weir.scope"
"""The key in the WSGI environ for the folders and sessions that a request may reach; None: all."""
ENTRY = "weir.entry"
"""The key in the WSGI environ for the request's line in the audit (`Entry`)."""
PRINCIPAL = "weir.principal"
"""The key in the WSGI environ for the user or token that sent a request; None: public route."""

log = logging.getLogger("weir.gateway")

Environ = dict[str, Any]


class WsgiAnswer:
    """Sends the answer of a WSGI application to one request.

    Args:
        request: the request to answer.
        keep_alive: the connection may serve another request.
    """

    def __init__(self, request: Request, keep_alive: bool) -> None:
        self._request = request
        self._framing = BodyFraming(request.method, request.http11, keep_alive, request.answered)
        self._status = ""
        self._headers: list[Header] = []

    def run(self, app: WSGIApplication, environ: Environ) -> bool:
        """Let `app` answer the request; return whether the connection may serve another."""
        body = app(environ, self._start)
        del environ
        self._request.forget_head()
        handed_over = False
        try:
            for piece in body:
                self._write(piece)
            self._begin()
            handed_over = isinstance(body, Stream) and body.take_over(self._in_chunks)
            if not handed_over and (end := self._framing.end(())):
                self._request.wire.send_last(end)
        finally:
            close = getattr(body, "close", None)
            if close is not None and not handed_over:
                close()
        return self._framing.keep_alive and not handed_over

    @property
    def _in_chunks(self) -> bool:
        return self._framing.ending is BodyEnding.CHUNKS

    def _start(
        self, status: str, headers: list[tuple[str, str]], _error: object = None, /
    ) -> Callable[[bytes], object]:
        self._status = status
        self._headers = [_header(name, value) for name, value in headers]
        return self._write

    def _write(self, piece: bytes) -> None:
        if not piece:
            return
        head = self._head()
        self._send(head + self._framing.data(piece) if head else self._framing.data(piece))

    def _begin(self) -> None:
        self._send(self._head())

    def _head(self) -> bytes:
        """Return the status line and headers of the answer; empty if they have been sent."""
        if self._framing.begun:
            return b""
        if not self._request.body.skip_what_has_come():
            # A part of the request's body is not read, so the next request cannot be found.
            self._framing.keep_alive = False
        code, _, reason = self._status.partition(" ")
        headers = [*self._headers, (b"Date", formatdate(usegmt=True).encode())]
        return self._framing.head(int(code), reason.encode("latin-1"), headers)

    def _send(self, data: bytes | bytearray) -> None:
        if data:
            self._request.wire.send(data)


def serve(app: WSGIApplication, request: Request, path: str, keep_alive: bool) -> bool:
    """Serve one request; return whether its connection may serve another request.

    Args:
        app: the WSGI application.
        request: the request to answer.
        path: the path by which `app` finds the route, percent-encoded.
        keep_alive: the connection may serve another request, if `app` agrees.
    """
    answer = WsgiAnswer(request, keep_alive)
    try:
        stays_open = answer.run(app, environ_of(request, path))
    except (ClientGone, OSError):
        return False
    except Refusal:
        raise
    except Exception:
        log.exception(
            "weir has a bug: %s %.200r failed, connection reset", request.method, request.path
        )
        request.wire.reset()
        return False
    if not request.body.ended and not request.wire.handed_over:
        request.wire.close_gently()
    return stays_open


def environ_of(request: Request, path: str) -> Environ:
    """Return the WSGI environ of a request.

    A header with an underscore in its name is left out: WSGI writes hyphens as underscores, so the
    application would take ``X_Forwarded_For`` for ``X-Forwarded-For``.
    """
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": request.base,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": "weir",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1" if request.http11 else "HTTP/1.0",
        "REMOTE_ADDR": request.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.wire.scheme,
        "wsgi.input": WsgiInput(request),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        WIRE: request.wire,
        RAW_PATH: request.path,
        SCOPE: request.scope,
        PRINCIPAL: request.principal,
        ENTRY: request.entry,
    }
    repeated: dict[str, list[str]] = {}
    for name, value in request.headers:
        if b"_" not in name:
            key = name.decode("ascii").upper().replace("-", "_")
            repeated.setdefault(key, []).append(value.decode("latin-1"))
    for key, found in repeated.items():
        plain = key in ("CONTENT_LENGTH", "CONTENT_TYPE")
        environ[key if plain else f"HTTP_{key}"] = ",".join(found)
    return environ


def _header(name: str, value: str) -> Header:
    """Encode a header of an answer.

    Raises:
        ValueError: `value` contains a line break, which would begin another header.
    """
    if "\n" in value or "\r" in value:
        raise ValueError(f"a line break in the header {name} of an answer: {value!r}")
    return name.encode("ascii"), value.encode("latin-1")
