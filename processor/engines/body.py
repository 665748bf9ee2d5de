"""Reads the body of a response with a deadline; bytes that arrive later are not lost."""

from __future__ import annotations

import contextlib

import gevent
from greenlet import GreenletExit, getcurrent, greenlet
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

READ_BYTES = 64 * 1024
DRAIN_S = 0.1


class ModelResponse:
    """Reads one response; a read that is late goes on.

    A greenlet of the body's own reads, piece by piece. It and the greenlet that asks for the
    piece switch to each other without a detour over the loop, since in a stream of small pieces
    a greenlet for each read costs more than all that is done with a piece.
    """

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response
        self._is_encoded = "content-encoding" in response.headers
        self._hub = gevent.get_hub()
        self._reader = greenlet(self._read_all, self._hub)
        self._rests = True  # until the next piece is asked for
        self._asker: greenlet | None = None
        self._came: bytes | Exception | None = None
        self._ended = False

    def read(self, within_s: float) -> bytes | None:
        """Return the next bytes, empty at the end; None if nothing comes `within_s`.

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
        """Wait shortly for the end, so that the connection can be used again."""
        with contextlib.suppress(HTTPError):
            if not self._ended:
                self.read(DRAIN_S)

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else end the connection."""
        self._reader.parent = getcurrent()  # where a greenlet goes that ends
        self._reader.throw(GreenletExit)
        if self._ended:
            self._response.release_conn()
        else:
            self._response.close()

    def _wait(self, within_s: float) -> None:
        """Let the reader go on until a piece has come, or the time is over."""
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
            # A piece that is late waits for the next question.
            (self._asker or self._hub).switch()
