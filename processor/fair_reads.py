"""Connections of urllib3 that let other greenlets run, however much their peer sends.

A read returns at once while bytes wait in the socket. So a server that never stops, with
informational answers (``100 Continue``) or with tiny chunks, would block the loop: no deadline
could end the reads, and the watchdog would end the processor.

If a connection fails, its error shows whether it had answered a request before: then the peer may
have closed it before the next request came.
"""

from __future__ import annotations

import http.client
import io
import socket
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from bus.process.fairness import READ_SLICE_S, TimeSlice


class _FairReads(io.RawIOBase):
    """Reads from a socket, and lets other greenlets run before each read.

    Args:
        raw: reads from the socket.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._turn = TimeSlice(READ_SLICE_S)

    def readinto(self, buffer: Any) -> int | None:
        """Read the available bytes, or wait for some."""
        self._turn.pass_on_if_over()
        return self._raw.readinto(buffer)

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_FairReads(self.fp.detach()))


class ClosedMeanwhile(ConnectionError):
    """A connection that was kept for the next request failed before the head of its answer."""


class _Connection(HTTPConnection):
    response_class = _Response
    _has_answered = False

    def connect(self) -> None:
        """Connect; urllib3 also calls this for a connection that it found broken."""
        self._has_answered = False
        super().connect()

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        """Return the head of an answer.

        Raises:
            ClosedMeanwhile: the head did not come, but an earlier answer did.
        """
        try:
            response = super().getresponse()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            if self._has_answered:
                raise ClosedMeanwhile(*error.args) from error
            raise
        self._has_answered = True
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def fair(pools: urllib3.PoolManager) -> urllib3.PoolManager:
    """Let all connections of `pools` read fairly, and return `pools`."""
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return pools
