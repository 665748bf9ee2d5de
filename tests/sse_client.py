"""A plain SSE client over `http.client`, as strict about time as a test needs it."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bus.sse import EventStreamParser, ServerSentEvent
from tests.processes import DEADLINE_S


class SseClient:
    """One open stream.

    Args:
        timeout_s: how long a test waits for news; heartbeats and comments are no news.
        tls: for a server that speaks TLS.

    Attributes:
        status: of the answer.
        headers: of the answer.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = DEADLINE_S,
        receive_buffer: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout_s)
        if tls is not None:
            self._connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout_s, context=tls
            )
        if receive_buffer is not None:
            self._connection.sock = _socket(parts.hostname, parts.port, receive_buffer, timeout_s)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._connection.request("GET", path, headers=dict(headers or {}))
        self._response = self._connection.getresponse()
        self.status = self._response.status
        self.headers = self._response.headers
        self._parser = EventStreamParser()
        self._ready: list[ServerSentEvent] = []
        self._timeout_s = timeout_s
        self._waited_s = 0.0

    def __enter__(self) -> "SseClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        self._response.close()
        self._connection.close()

    def body(self) -> bytes:
        """Return all the rest, for an answer that is no stream."""
        return self._response.read()

    def read(self, size: int = 65536) -> list[ServerSentEvent]:
        """Wait for bytes, at most `size`; return the events they complete.

        Raises:
            EOFError: the stream ended.
            TimeoutError: for too long nothing came but heartbeats.
        """
        began = time.monotonic()
        data = self._response.read1(size)
        if not data:
            raise EOFError
        events = list(self._parser.feed(data))
        self._waited_s += time.monotonic() - began
        if any(b"server.heartbeat" not in event.data for event in events):
            self._waited_s = 0.0
        if self._waited_s > self._timeout_s:
            raise TimeoutError(f"nothing but heartbeats came for {self._waited_s:.1f} s")
        return events

    def next(self) -> ServerSentEvent:
        """Return the next event.

        Raises:
            EOFError: the stream ended.
        """
        while not self._ready:
            self._ready += self.read()
        return self._ready.pop(0)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the JSON of every event until the stream ends."""
        while True:
            try:
                yield json.loads(self.next().data)
            except EOFError:
                return

    def until(self, last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Return the events up to and with the first for which `last` holds.

        Raises:
            TimeoutError: other events come, and that one does not.
        """
        got, end = [], time.monotonic() + DEADLINE_S
        for event in self.events():
            got.append(event)
            if last(event):
                return got
            if time.monotonic() > end:
                raise TimeoutError(f"no such event within {DEADLINE_S} s; the last are {got[-5:]}")
        raise AssertionError(f"the stream ended before the last event; got {got}")


def _socket(host: str, port: int, receive_buffer: int, timeout_s: float) -> socket.socket:
    sock = socket.socket()
    # Before connect: the window is agreed upon there.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(timeout_s)
    sock.connect((host, port))
    return sock
