"""The least that delivers: ``python -m tests.benchmarks.peers.floor_server``.

One loop takes what is posted to ``/pub`` and writes it to every reader of ``/ev`` without
blocking. It has no bounds, no resume, no coalescing. What a reader does not take waits in memory.

``POST /self`` with ``{"session", "script"}`` has the server itself play a script of the publisher:
it takes the time before each single write, and writes a storm in large pieces. What is measured
then is the load generator.
"""

import json
import re
import select
import socket
import time
from collections.abc import Iterable

from tests.benchmarks.peers.publisher import events

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n"
_STAMP = re.compile(rb"\|(\d{19})\|")
_BATCH = 16 * 1024
_CONNECTED = b'data: {"type":"server.connected","properties":{}}\n\n'


class Floor:
    """The listener and its connections."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self.listener, select.EPOLLIN)
        self._sockets: dict[int, socket.socket] = {}
        self._requests: dict[int, bytes] = {}
        self._readers: dict[int, socket.socket] = {}
        self._waiting: dict[int, bytearray] = {}

    def run(self) -> None:
        """Serve until killed."""
        while True:
            for number, ready in self._epoll.poll():
                if number == self.listener.fileno():
                    self._accept()
                elif ready & select.EPOLLOUT:
                    self._catch_up(number)
                elif not self._receive(number):
                    self._close(number)

    def publish(self, body: bytes) -> None:
        """Write an event to every reader."""
        frame = b"data: %b\n\n" % body
        late, waiting = [], self._waiting
        for number, reader in self._readers.items():
            if number in waiting:
                waiting[number] += frame
                continue
            try:
                taken = reader.send(frame)
            except BlockingIOError:
                taken = 0
            except OSError:
                continue  # the epoll says so next
            if taken < len(frame):
                late.append((number, frame[taken:]))
        for number, rest in late:
            waiting[number] = bytearray(rest)
            self._epoll.modify(number, select.EPOLLIN | select.EPOLLOUT)

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self.listener.accept()
            except BlockingIOError:
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets[accepted.fileno()] = accepted
            self._requests[accepted.fileno()] = b""
            self._epoll.register(accepted, select.EPOLLIN)

    def _receive(self, number: int) -> bool:
        try:
            data = self._sockets[number].recv(1 << 16)
        except OSError:
            return False
        self._requests[number] += data
        while self._answer(number):
            pass
        return bool(data)

    def _answer(self, number: int) -> bool:
        head, end, rest = self._requests[number].partition(b"\r\n\r\n")
        if not end:
            return False
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if len(rest) < size:
            return False
        body, self._requests[number] = rest[:size], rest[size:]
        connection, route = self._sockets[number], head.split(b" ")[1]
        if route == b"/ev":
            connection.send(_HEAD + _CONNECTED)
            self._readers[number] = connection
            return False
        connection.send(_OK)
        if route == b"/pub":
            self.publish(body)
        elif route == b"/self":
            self._play(**json.loads(body))
        return True

    def _play(self, session: str, script: str) -> None:
        readers = self._readers.values()
        for reader in readers:
            reader.setblocking(True)
        _Inside(readers).play(session, script)
        for reader in readers:
            reader.setblocking(False)

    def _catch_up(self, number: int) -> None:
        waiting = self._waiting[number]
        try:
            del waiting[: self._sockets[number].send(waiting)]
        except BlockingIOError:
            return
        except OSError:
            self._close(number)
            return
        if not waiting:
            del self._waiting[number]
            self._epoll.modify(number, select.EPOLLIN)

    def _close(self, number: int) -> None:
        self._epoll.unregister(number)
        for table in (self._requests, self._readers, self._waiting):
            table.pop(number, None)
        self._sockets.pop(number).close()


class _Inside:
    """A publisher within the server, for the control run."""

    def __init__(self, readers: Iterable[socket.socket]) -> None:
        self._readers = list(readers)
        self._batch = b""

    def play(self, session: str, script: str) -> None:
        """Write an answer to every reader."""
        for body in events(session, script):
            self._post(body)

    def _post(self, body: bytes) -> None:
        frame = b"data: %b\n\n" % body
        if stamp := _STAMP.search(frame):
            self._write_stamped(frame[: stamp.start(1)], frame[stamp.end(1) :])
            return
        self._batch += frame
        if len(self._batch) >= _BATCH or b"message.part.delta" not in frame:
            for reader in self._readers:
                reader.sendall(self._batch)
            self._batch = b""

    def _write_stamped(self, before: bytes, after: bytes) -> None:
        for reader in self._readers:
            reader.sendall(b"%b%019d%b" % (before, time.monotonic_ns(), after))


def main() -> None:
    """Say the port as a line of JSON, and serve."""
    floor = Floor()
    print(json.dumps(floor.listener.getsockname()[1]), flush=True)
    floor.run()


if __name__ == "__main__":
    main()
