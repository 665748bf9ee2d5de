"""Streams whose bytes are read and counted as they come, by a thread each."""

import http.client
import threading
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

from tests.processes import DEADLINE_S


class Drain:
    """A stream whose bytes are read and counted as they come."""

    def __init__(self, url, path="/global/event"):
        parts = urlsplit(url)
        self.size = 0
        self.data = bytearray()
        self._connection = http.client.HTTPConnection(
            parts.hostname, parts.port, timeout=DEADLINE_S
        )
        self._connection.request("GET", path)
        self._response = self._connection.getresponse()
        self._socket = self._connection.sock
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        try:
            while piece := self._response.read1(65536):
                self.data += piece
                self.size += len(piece)
        except (OSError, ValueError, http.client.HTTPException):
            return

    def close(self):
        """Leave."""
        with suppress(OSError):  # it may have been let go
            self._socket.shutdown(2)
        self._thread.join(DEADLINE_S)
        self._response.close()
        self._connection.close()


@contextmanager
def drains(url, count, path="/global/event"):
    with ExitStack() as stack:
        opened = [Drain(url, path) for _ in range(count)]
        for one in opened:
            stack.callback(one.close)
        yield opened
