"""An upstream that says exactly the bytes a test wants, and keeps exactly the bytes it got."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.processes import DEADLINE_S

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Talk:
    """One connection, as its script sees it.

    Attributes:
        number: of the connection, from 0.
        gone: how the peer left: "end" or "reset"; None as far as nobody looked.
    """

    def __init__(self, connection: socket.socket, number: int, heads: list[bytes]) -> None:
        self.number = number
        self.connection = connection
        self.gone: str | None = None
        self.last_words = b""
        self._heads = heads
        self._ahead = b""

    def head(self) -> bytes:
        """Return the head of the next request, blank line and all; b"" if there is none."""
        while b"\r\n\r\n" not in self._ahead:
            data = self._receive()
            if not data:
                return b""
            self._ahead += data
        head, blank, self._ahead = self._ahead.partition(b"\r\n\r\n")
        self._heads.append(head + blank)
        return head + blank

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer if the peer leaves before."""
        while len(self._ahead) < size and (data := self._receive()):
            self._ahead += data
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        return taken

    def until(self, end: bytes) -> bytes:
        """Return all up to and with `end`."""
        while end not in self._ahead and (data := self._receive()):
            self._ahead += data
        cut = self._ahead.index(end) + len(end)
        taken, self._ahead = self._ahead[:cut], self._ahead[cut:]
        return taken

    def say(self, data: bytes) -> None:
        """Send `data`."""
        self.connection.sendall(data)

    def until_gone(self) -> str:
        """Wait until the peer leaves; what it says until then is in `last_words`."""
        while data := self._receive():
            self._ahead += data
        self.last_words = self._ahead
        return self.gone or ""

    def reset(self) -> None:
        """Cut the connection as a crash would."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _receive(self) -> bytes:
        try:
            data = self.connection.recv(65536)
        except ConnectionResetError:
            self.gone = "reset"
            return b""
        if not data:
            self.gone = "end"
        return data


Script = Callable[[Talk], None]


def answer(data: bytes) -> Script:
    """Say `data` to every request of a connection; requests have no body."""

    def script(talk: Talk) -> None:
        while talk.head():
            talk.say(data)

    return script


class HttpUpstream:
    """Listens on a loopback port; every connection is a thread that plays the script.

    Attributes:
        url: where it listens.
        heads: of all requests, byte for byte.
        connections: how many there have been.
    """

    def __init__(self, script: Script) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self.script = script
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def play(self, script: Script) -> None:
        """Play another script from the next connection on, and forget what was heard."""
        self.script = script
        self.hang_up()
        self.heads.clear()
        self.connections = 0

    def hang_up(self) -> None:
        """Close the connections there are."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Take no more connections, and close those there are."""
        # Closing alone would leave a thread in `accept`, and with it the port.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(DEADLINE_S)
            talk = Talk(connection, self.connections, self.heads)
            self.connections += 1
            self._open.add(connection)
            threading.Thread(target=self._play, args=(talk, self.script), daemon=True).start()

    def _play(self, talk: Talk, script: Script) -> None:
        with talk.connection, contextlib.suppress(OSError):
            script(talk)
        self._open.discard(talk.connection)


@contextmanager
def http_upstream(script: Script | None = None) -> Iterator[HttpUpstream]:
    """Run an upstream for the time of a ``with`` block; without a script it says `OK`."""
    upstream = HttpUpstream(script or answer(OK))
    try:
        yield upstream
    finally:
        upstream.close()
