"""The body of a response, read with a deadline that does not cost what arrives later."""

from __future__ import annotations

import contextlib

import gevent
from gevent import Greenlet
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

READ_BYTES = 64 * 1024
DRAIN_S = 0.1


class Body:
    """Reads one response, each read in a greenlet: a read that is late goes on."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response
        self._reading: Greenlet[[], bytes | HTTPError] | None = None
        self._ended = False

    def read(self, within_s: float) -> bytes | None:
        """Return the next bytes, empty at the end; None if nothing comes `within_s`.

        Raises:
            HTTPError: the connection broke.
        """
        if self._reading is None:
            self._reading = gevent.spawn(self._read)
        self._reading.join(timeout=max(0.0, within_s))
        if not self._reading.ready():
            return None
        result, self._reading = self._reading.value, None
        if isinstance(result, HTTPError):
            raise result
        self._ended = not result
        return result or b""

    def drain(self) -> None:
        """Wait shortly for the end, so that the connection can be used again."""
        with contextlib.suppress(HTTPError):
            if not self._ended:
                self.read(DRAIN_S)

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else end the connection."""
        if self._reading is not None:
            self._reading.kill()
        if self._ended:
            self._response.release_conn()
        else:
            self._response.close()

    def _read(self) -> bytes | HTTPError:
        """Return an error instead of raising it: gevent prints what a greenlet raises."""
        try:
            return self._response.read1(READ_BYTES)
        except HTTPError as error:
            return error
