"""One stream of the reading process: bytes are kept as they come, and looked at afterwards."""

import socket

MARKER = b'"type":"session.idle"'
_CONNECTED = b"server.connected"
_STALLED_BUFFER = 4096
_LEAST_ROOM = 64 * 1024
_DEADLINE_S = 20.0


class Reader:
    """A client that reads as fast as it can.

    While the clock runs it only stores bytes and looks for the last event's marker.

    Args:
        address: the server's host and port.
        path: of the stream, with its query.
        room: bytes to hold; memory is taken, and touched, here rather than under the clock.

    Attributes:
        done_ns: when the marker was seen, on the monotonic clock; 0 if it was not yet.
    """

    def __init__(self, address: tuple[str, int], path: str, room: int) -> None:
        self.socket = _opened(address, path)
        self.done_ns = 0
        self._held = bytearray(room)
        self._view = memoryview(self._held)
        self._size = 0
        while self._held.find(_CONNECTED, 0, self._size) < 0:
            self.receive()
        self.socket.setblocking(False)

    def receive(self) -> bool:
        """Take what there is; tell whether it holds the marker.

        Raises:
            EOFError: the stream ended.
        """
        if len(self._held) - self._size < _LEAST_ROOM:
            self._grow()
        before = self._size
        count = self.socket.recv_into(self._view[before:])
        if count == 0:
            raise EOFError("a stream ended")
        self._size += count
        return self._held.find(MARKER, max(0, before - len(MARKER)), self._size) >= 0

    def take(self) -> bytes:
        """Return what was received since the last call."""
        taken = bytes(self._view[: self._size])
        self._size = 0
        return taken

    def _grow(self) -> None:
        larger = bytearray(2 * len(self._held))
        larger[: self._size] = self._view[: self._size]
        self._held, self._view = larger, memoryview(larger)


def stalled(address: tuple[str, int], path: str) -> socket.socket:
    """Open a stream that nobody reads, through as small a window as the system allows.

    It returns when the answer has begun: from then on the server counts it as a reader.
    """
    sock = _opened(address, path, _STALLED_BUFFER)
    sock.recv(1, socket.MSG_PEEK)
    return sock


def is_open(sock: socket.socket) -> bool:
    """Tell whether the server has not cut a stream that nobody reads."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def _opened(address: tuple[str, int], path: str, buffer: int | None = None) -> socket.socket:
    sock = socket.socket()
    if buffer is not None:
        # Before connect: the window is agreed upon there.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.settimeout(_DEADLINE_S)
    sock.connect(address)
    host = f"{address[0]}:{address[1]}"
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n"
    sock.sendall(request.encode())
    return sock
