"""A proxy that does to a stream what proxies in front of it do by default: holds it back."""

import http.client
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.processes import DEADLINE_S

_GZIP = 31
_HOP_BY_HOP = ("connection", "transfer-encoding", "keep-alive")


class Held:
    """Lets go of what it holds once there is more than `size` of it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = b""

    def __call__(self, data: bytes) -> bytes:
        """Take bytes, and return those to pass on."""
        self._held += data
        if len(self._held) <= self._size:
            return b""
        let_go, self._held = self._held, b""
        return let_go


class Compressed:
    """Passes on as gzip, at once."""

    def __init__(self) -> None:
        self._pack = zlib.compressobj(wbits=_GZIP)

    def __call__(self, data: bytes) -> bytes:
        """Take bytes, and return those to pass on."""
        return self._pack.compress(data) + self._pack.flush(zlib.Z_SYNC_FLUSH)


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: str, keep: Callable[[], Callable[[bytes], bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.keep = keep

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Proxy

    def do_GET(self) -> None:
        """Pass on a request, and the answer."""
        connection = http.client.HTTPConnection(self.server.upstream, timeout=DEADLINE_S)
        connection.request("GET", self.path, headers=dict(self.headers.items()))
        response = connection.getresponse()
        stream = response.headers.get_content_type() == "text/event-stream"
        keep = self.server.keep() if stream else bytes
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Via", "1.1 holdback")
        if isinstance(keep, Compressed):
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        while data := response.read1(65536):
            self.wfile.write(keep(data))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def buffering_proxy(upstream: str, keep: Callable[[], Callable[[bytes], bytes]]) -> Iterator[str]:
    """Run a proxy for the time of a ``with`` block; give its URL.

    Args:
        upstream: URL of the server.
        keep: makes what each stream is passed through.
    """
    proxy = _Proxy(upstream, keep)
    threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
