"""A proxy that counts what is asked through it, between an agent and its server.

Agents that are given a server's address are given this one's instead. opencode's own agent asks
itself, at an address of its own; it is told of this one as its ``HTTP_PROXY``, and names the whole
address it wants. Bodies stream both ways as they come.
"""

import contextlib
import http.client
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_ID = re.compile(r"/[a-z]{3}_\w+")
_HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
_FRAME = re.compile(rb".*?\n\n", re.DOTALL)
_PIECE = 1 << 16
MESSAGE = "GET /session/{id}/message/{id}"
HISTORY = "GET /session/{id}/message"


class Request(NamedTuple):
    """One that was made: ``route`` is method and path, with ``{id}`` for every id in it."""

    server: str
    route: str


class Counting(ThreadingHTTPServer):
    """A proxy of one server, or of whichever is named.

    Attributes:
        url: where it listens.
        requests: all that has been asked, in the order of arrival.
        connections: of clients, that are open, and the route that each asked for last.
        deaf: while it is set, an event stream that opens now says its first word and no more, as
            opencode's does for a moment: it listens only after that.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, server: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.server = server
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[Request] = []
        self.connections: dict[socket.socket, str] = {}
        self.deaf = False

    def cut(self, route: str = "") -> None:
        """End every connection, wherever its answer is; of one route if one is given."""
        for connection, asked in list(self.connections.items()):
            if route in ("", asked):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def count(self, server: str, since: int = 0) -> Counter[str]:
        """Return how often each route of a server was asked for, but for the first `since`."""
        return Counter(one.route for one in self.requests[since:] if one.server == server)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client or a server that leaves is no fault of the proxy's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Counting

    def setup(self) -> None:
        """Note the connection."""
        super().setup()
        self.server.connections[self.connection] = ""

    def finish(self) -> None:
        """Forget it."""
        self.server.connections.pop(self.connection, None)
        super().finish()

    def handle_one_request(self) -> None:
        """Pass a request on, and its answer back."""
        self.raw_requestline = self.rfile.readline(_PIECE)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        wanted = urlsplit(self.path)
        server = self.server.server or f"{wanted.scheme}://{wanted.netloc}"
        route = f"{self.command} {_route(wanted.path)}"
        self.server.requests.append(Request(server, route))
        self.server.connections[self.connection] = route
        host = urlsplit(server)
        if host.hostname != "127.0.0.1":
            self.send_error(502)
            return
        upstream = http.client.HTTPConnection(host.hostname, host.port)
        try:
            self._ask(upstream, f"{wanted.path}?{wanted.query}".removesuffix("?"))
            self._answer(upstream.getresponse())
        except OSError:
            self.close_connection = True
        finally:
            upstream.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _ask(self, upstream: http.client.HTTPConnection, path: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        upstream.request(self.command, path, body or None, headers)

    def _answer(self, response: http.client.HTTPResponse) -> None:
        chunked = response.length is None
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in self._heard(response):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _heard(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        """Give the body of an answer as it comes; of an event stream while deaf, less."""
        deaf = self.server.deaf and response.getheader("Content-Type") == "text/event-stream"
        pieces = iter(lambda: response.read1(_PIECE), b"")
        if deaf:
            yield _FRAME.match(next(pieces))[0]
            is_whole = True
            for piece in pieces:
                if is_whole and not self.server.deaf:
                    yield piece
                    break
                is_whole = piece.endswith(b"\n\n")
        yield from pieces


def _route(path: str) -> str:
    return _ID.sub("/{id}", path)


@contextmanager
def counting(server: str | None = None) -> Iterator[Counting]:
    """Run a proxy for the time of a ``with`` block.

    Args:
        server: URL of the only server; None for one that each request names.
    """
    proxy = Counting(server)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
