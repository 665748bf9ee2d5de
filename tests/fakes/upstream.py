"""A fake opencode: `/global/event` as a test wants it, and REST answers from what is stored.

In a test, `upstream()`: the test says every word itself. As a process of its own, to be killed,
``python -m tests.fakes.upstream --port P --recording NAME --said A:B``: it has stored the first A
frames of a recording, says those from A to B to whoever connects, and then nothing more.
"""

import argparse
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests import recorded
from tests.fakes.stored import Stored
from tests.processes import DEADLINE_S, wait_until

VERSION = "1.18.33"
CONNECTED = {"payload": {"type": "server.connected", "properties": {}}}
HEARTBEAT = {"payload": {"type": "server.heartbeat", "properties": {}}}
RECORDED_DATE = "Fri, 20 Nov 2026 09:00:00 GMT"
"""Before everything that was recorded: whatever a test says is new."""

Json = dict[str, Any]


def sse(frame: Json | bytes) -> bytes:
    """Return a frame as it stands in the stream."""
    data = frame if isinstance(frame, bytes) else json.dumps(frame, ensure_ascii=False).encode()
    return b"data: " + data + b"\n\n"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def do_GET(self) -> None:
        """Answer, or stream until the test cuts it or the client leaves."""
        url = urlsplit(self.path)
        # Read before the request is noted: a test that sees the request may change them.
        password, refusal, failing = (
            self.server.password,
            self.server.refusal,
            self.server.failing,
        )
        self.server.requests.append(self.path)
        if password and self.headers.get("Authorization") != password:
            self._send(401, b"{}")
        elif url.path != "/global/event":
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            self._rest(url.path, query, failing)
        elif refusal is not None:
            status, kind = refusal
            self._send(status, b"no stream", {"Content-Type": kind})
        else:
            self._stream()

    def _stream(self) -> None:
        # At once: who has the head of an answer is told of all that happens from then on.
        with self.server.changed:
            if self.server.closed:
                self.close_connection = True
                return
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nDate: "
                + self.server.now().encode()
                + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            self.send(sse(CONNECTED))
            self.server.streams.append(self)
            self.server.connections += 1
            self.server.changed.notify_all()
        self.server.greet(self)
        try:
            while self.connection.recv(1024):
                pass
        finally:
            with self.server.changed:
                if self in self.server.streams:
                    self.server.streams.remove(self)
        self.close_connection = True

    def send(self, data: bytes) -> None:
        """Send a chunk, if the peer has not left yet; an empty one would be the end."""
        if not data:
            return
        with contextlib.suppress(OSError):
            self.connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def reset(self) -> None:
        """Cut the connection as a crash would, if the peer has not left yet."""
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.shutdown(socket.SHUT_RD)
            self.connection.close()

    def _rest(self, path: str, query: Json, failing: int) -> None:
        self.server.before_rest(path)
        if failing:
            self._send(failing, b"{}")
            return
        headers: dict[str, str] = {}
        with self.server.changed:
            answer = self._answer(path.strip("/").split("/"), query, headers)
        if isinstance(answer, int):
            self._send(answer, b"{}")
        elif answer is None:
            self._send(404, b'{"name":"NotFoundError"}')
        elif answer is Ellipsis:
            self._send(200, b"<!doctype html>", {"Content-Type": "text/html"})
        else:
            self._send(200, json.dumps(answer).encode(), headers)

    def _answer(self, path: list[str], query: Json, headers: dict[str, str]) -> Any:
        stored, directory = self.server.stored, query.get("directory")
        match path:
            case ["global", "health"]:
                return {"healthy": True, "version": VERSION}
            case ["path"]:
                return self._path(directory)
            case ["session"]:
                limit = int(query.get("limit", 100))
                return stored.sessions(directory, int(query.get("start", 0)), limit)
            case ["session", "status"]:
                return stored.statuses(directory)
            case ["permission" | "question" as kind]:
                return stored.requests(kind, directory)
            case ["session", session]:
                return stored.session(session)
            case ["session", session, "todo"]:
                return stored.todos(session)
            case ["session", session, "diff"]:
                return stored.diff(session)
            case ["session", session, "message"]:
                limit = int(query.get("limit", 10**9))
                page, older = stored.messages(session, limit, query.get("before"))
                headers |= {"X-Next-Cursor": older} if older else {}
                return page
        return Ellipsis

    def _path(self, spelt: str | None) -> Any:
        """Tell which folder a path names, as an opencode does: it decodes the path once more."""
        folder = self.server.folders.get(unquote(spelt or ""), ...)
        return folder if folder is ... or isinstance(folder, int) else {"directory": folder}

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """What all connections share."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.stored = Stored()
        self.streams: list[Handler] = []
        self.connections = 0
        self.requests: list[str] = []
        self.password: str | None = None
        self.date = RECORDED_DATE
        self.failing = 0
        self.closed = False
        self.folders: dict[str, str | int] = {}
        self.refusal: tuple[int, str] | None = None
        self.changed = threading.Condition(threading.RLock())
        self.before_rest: Callable[[str], None] = lambda path: None
        self.greet: Callable[[Handler], None] = lambda stream: None

    def now(self) -> str:
        """Return the `Date` of a stream that begins."""
        return self.date

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that leaves, and a stream that the test has cut, are no errors."""


class Upstream:
    """A fake opencode in the hands of a test.

    Attributes:
        server: what it answers with; `folders` are by path, the server's own by an empty one, or
            are the status of an error; `failing` is a status for every REST answer, `refusal` the
            status and content type of what is sent instead of a stream.
        url: where it listens.
    """

    def __init__(
        self,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        missed: Iterable[Json | bytes] = (),
    ) -> None:
        self.server = Server(port, tls)
        self.miss(*missed)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def wait_connected(self, times: int = 1) -> None:
        """Wait until the stream was opened so often, and healing has had its answers."""
        with self.server.changed:
            connected = self.server.changed.wait_for(
                lambda: self.server.connections >= times, DEADLINE_S
            )
            assert connected, f"{self.server.connections} of {times} connections"

    def wait_asked(self, path: str, times: int = 1) -> None:
        """Wait until a route was asked so often."""

        def asked() -> bool:
            return sum(urlsplit(one).path == path for one in self.server.requests) >= times

        wait_until(asked, what=f"{times} requests for {path}")

    def say(self, *frames: Json | bytes) -> None:
        """Store frames, and send them in one burst."""
        with self.server.changed:
            self.miss(*frames)
            self.send(b"".join(sse(frame) for frame in frames))

    def say_bytewise(self, *frames: Json | bytes) -> None:
        """Store frames, and send each byte as a chunk, so that it is read by itself."""
        with self.server.changed:
            self.miss(*frames)
            data = b"".join(sse(frame) for frame in frames)
            chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in data)
            for stream in self.server.streams:
                stream.connection.sendall(chunks)

    def miss(self, *frames: Json | bytes) -> None:
        """Store frames that nobody is sent."""
        for frame in frames:
            wire = json.loads(frame) if isinstance(frame, bytes) else frame
            self.server.stored.apply(wire)

    def send(self, data: bytes) -> None:
        """Send bytes over every stream that is open."""
        with self.server.changed:
            for stream in self.server.streams:
                stream.send(data)

    def end(self) -> None:
        """End every stream as it should be ended."""
        with self.server.changed:
            for stream in self.server.streams:
                stream.connection.sendall(b"0\r\n\r\n")
                stream.connection.shutdown(socket.SHUT_RD)

    def cut(self) -> None:
        """Reset every stream."""
        with self.server.changed:
            for stream in self.server.streams:
                stream.reset()
            self.server.streams.clear()

    def close(self) -> None:
        """Be gone: listen no more, and then cut what is open, as a peer may come back at once."""
        self.server.shutdown()
        self.server.server_close()
        with self.server.changed:
            self.server.closed = True
            self.cut()


@contextmanager
def upstream(
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    missed: Iterable[Json | bytes] = (),
) -> Iterator[Upstream]:
    """A fake opencode for the time of a ``with`` block; `missed` it has stored from the start."""
    fake = Upstream(port, tls, missed)
    try:
        yield fake
    finally:
        fake.close()


def frames_of(name: str) -> list[Json]:
    """Return the frames of a recording, but for the signs of life."""
    return [f for f in recorded.global_events(name) if not is_sign_of_life(f)]


def is_sign_of_life(frame: Json) -> bool:
    """Tell whether a frame says nothing but that the server lives."""
    return frame["payload"]["type"] in ("server.connected", "server.heartbeat")


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="a fake opencode")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--recording", required=True)
    parser.add_argument("--said", default="0:0", help="A:B, which frames of it are said")
    options = parser.parse_args()
    stored, said = (int(number) for number in options.said.split(":"))
    frames = frames_of(options.recording)
    server = Server(options.port)
    server.stored = Stored(frames[:stored])

    def greet(stream: Handler) -> None:
        play(server, stream, frames[stored:said])

    server.greet = greet
    server.serve_forever()


def play(server: Server, stream: Handler, frames: Iterable[Json]) -> None:
    """Say frames, storing each as it is said."""
    for frame in frames:
        with server.changed:
            server.stored.apply(frame)
        stream.send(sse(frame))


if __name__ == "__main__":
    main()
