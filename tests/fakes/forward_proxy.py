"""An HTTP proxy that leads each name to one server, and refuses tunnels."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.processes import DEADLINE_S


class ForwardProxy(ThreadingHTTPServer):
    """The listener.

    Attributes:
        seen: method, target and login of each request.
    """

    def __init__(self, server: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.server = server
        self.seen: list[tuple[str, str, str | None]] = []
        self.place = f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: ForwardProxy

    def do_POST(self) -> None:
        """Pass a request on, whatever host its URL names."""
        self._note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = HTTPConnection(urlsplit(self.server.server).netloc, timeout=DEADLINE_S)
        kind = {"Content-Type": self.headers["Content-Type"]}
        server.request("POST", urlsplit(self.path).path, body, kind)
        reply = server.getresponse()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.headers["Content-Type"])
        self.end_headers()
        self.wfile.write(reply.read())
        server.close()

    def do_CONNECT(self) -> None:
        """Refuse a tunnel."""
        self._note()
        self.send_error(403, "no tunnels")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _note(self) -> None:
        login = self.headers.get("Proxy-Authorization")
        self.server.seen.append((self.command, self.path, login))


@contextmanager
def forward_proxy(server: str) -> Iterator[ForwardProxy]:
    """Run a proxy that leads to `server` for the time of a ``with`` block."""
    with ForwardProxy(server) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
