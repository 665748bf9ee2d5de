"""A server that answers each path with what a test has written down."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Talk = Callable[[BaseHTTPRequestHandler], None]


def reply(status: int, body: bytes = b"{}", **headers: str) -> Talk:
    """Answer with a body of JSON, unless a header says otherwise."""

    def talk(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(status)
        for name, value in {"Content_Type": "application/json", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return talk


def stream(*frames: bytes, stays: bool = True, **headers: str) -> Talk:
    """Answer with a stream of frames; then nothing more, or the end."""

    def talk(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Type", "text/event-stream")
        for name, value in {"Cache_Control": "no-cache, no-transform", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        for frame in frames:
            handler.wfile.write(frame)
        if stays:
            handler.connection.recv(1)

    return talk


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no error."""


@contextmanager
def routes(talks: Mapping[str, Talk], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run a server for the time of a ``with`` block; give its URL. Other paths answer 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            talks.get(self.path, reply(404))(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        # The handshake belongs to the connection's thread, where it may fail.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silence() -> Iterator[str]:
    """Accept connections in the kernel, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
