"""Reads the body of a response with deadlines; bytes that come after a deadline are kept."""

from __future__ import annotations

import contextlib

import gevent
from greenlet import GreenletExit, getcurrent, greenlet
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

READ_BYTES = 64 * 1024
DRAIN_S = 0.1


class ModelResponse:
    """Reads one response. If `read` misses its deadline, the next call returns the late bytes.

    The reads run in a greenlet of their own. This greenlet and the caller's greenlet switch to
    each other directly, not by the event loop: for a stream of small pieces, a new greenlet for
    each read would cost more than all other work.
    """

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response
        self._is_encoded = "content-encoding" in response.headers
        self._hub = gevent.get_hub()
        self._reader = greenlet(self._read_all, self._hub)
        self._rests = True  # the reader's greenlet waits for the next request
        self._asker: greenlet | None = None
        self._came: bytes | Exception | None = None
        self._ended = False

    def read(self, within_s: float) -> bytes | None:
        """Return the next bytes, empty at the end; None if nothing comes within `within_s`.

        Raises:
            HTTPError: the connection broke.
        """
        if self._came is None and not self._ended:
            self._wait(within_s)
        result, self._came = self._came, None
        if isinstance(result, Exception):
            raise result
        return b"" if self._ended else result

    def drain(self) -> None:
        """Wait a short time for the end, so that the connection can be used again."""
        with contextlib.suppress(HTTPError):
            if not self._ended:
                self.read(DRAIN_S)

    def close(self) -> None:
        """Return the connection to its pool if the whole body was read, else close it."""
        self._reader.parent = getcurrent()  # the greenlet that runs after the reader ends
        self._reader.throw(GreenletExit)
        if self._ended:
            self._response.release_conn()
        else:
            self._response.close()

    def _wait(self, within_s: float) -> None:
        """Let the reader run until a piece has come, or the time is over."""
        timer = self._hub.loop.timer(max(0.0, within_s))
        self._asker = getcurrent()
        timer.start(self._asker.switch)
        try:
            (self._reader if self._rests else self._hub).switch()
        finally:
            timer.close()
            self._asker = None

    def _read_all(self) -> None:
        while True:
            self._rests = False
            try:
                read = self._response.read1(READ_BYTES, decode_content=self._is_encoded)
                self._came = read or b""
            except Exception as error:
                self._came = error
            self._ended = self._came == b""
            self._rests = True
            # If the caller's deadline has passed, the piece waits for the next call of `read`.
            (self._asker or self._hub).switch()
