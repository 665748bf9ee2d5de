"""A server of event streams that says, connection by connection, what a test has written down."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.processes import DEADLINE_S

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHUNKED = STREAM.replace(b"Connection: close", b"Transfer-Encoding: chunked")

Script = Callable[[socket.socket], None]


def answer(data: bytes) -> Script:
    """Say `data`, and end."""
    return lambda connection: connection.sendall(data)


def answer_status(status: str, body: bytes = b"", kind: str = "application/json") -> Script:
    """Answer with a status other than a stream."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return answer(head.encode() + body)


def answer_and_reset(data: bytes, taken: threading.Event) -> Script:
    """Say `data`, and cut the connection as a crash would, once it is `taken`."""

    def script(connection: socket.socket) -> None:
        connection.sendall(data)
        taken.wait(DEADLINE_S)  # a reset throws away what waits
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


def answer_and_hold(data: bytes) -> Script:
    """Say `data`, and then nothing until the peer leaves."""

    def script(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.settimeout(DEADLINE_S)
        connection.recv(1)

    return script


class StreamServer:
    """Plays one script a connection.

    Attributes:
        url: where it listens.
        requests: the head of every request, as lines.
    """

    def __init__(self, *scripts: Script) -> None:
        self.requests: list[list[str]] = []
        self._scripts = list(scripts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def header(self, request: int, name: str) -> str | None:
        """Return a header of a request."""
        for line in self.requests[request]:
            if line.lower().startswith(f"{name.lower()}:"):
                return line.partition(":")[2].strip()
        return None

    def close(self) -> None:
        """Take no more connections."""
        # Closing alone would leave the thread in `accept`.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_S)

    def _serve(self) -> None:
        last = len(self._scripts)
        for number, script in enumerate(self._scripts, 1):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):  # the client may have left
                if number == last:
                    # Before its end: a client that has seen the end may come back at once.
                    self._listener.close()
                self.requests.append(_head(connection))
                script(connection)


@contextmanager
def stream_server(*scripts: Script) -> Iterator[StreamServer]:
    """Run a server for the time of a ``with`` block; after its last script it refuses."""
    server = StreamServer(*scripts)
    try:
        yield server
    finally:
        server.close()


def _head(connection: socket.socket) -> list[str]:
    data = b""
    while b"\r\n\r\n" not in data and (piece := connection.recv(65536)):
        data += piece
    return data.decode("utf-8").split("\r\n")[:-2]
