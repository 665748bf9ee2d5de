"""Connections of urllib3 that let other greenlets run, however much their peer sends.

A read returns at once while bytes wait in the socket. So a server that never stops, with answers
before the answer (``100 Continue``) or with tiny chunks, would keep the loop: no deadline of the
reader could fire, and the watchdog would end the processor.

A connection also says whether it had answered a request before it failed: then its peer may have
closed it before the next request came.
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
    """Reads from a socket, by turns with all others.

    Args:
        raw: reads from the socket.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._turn = TimeSlice(READ_SLICE_S)

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there, or wait for something."""
        self._turn.pass_on_if_over()
        return self._raw.readinto(buffer)

    def readable(self) -> bool:
        """Tell that this can be read from."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._raw.fileno()

    def close(self) -> None:
        """Let go of the socket."""
        if not self.closed:
            self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_FairReads(self.fp.detach()))


class ClosedMeanwhile(ConnectionError):
    """A connection that was kept for the next request fails before the head of its answer."""


class _Connection(HTTPConnection):
    response_class = _Response
    _has_answered = False

    def connect(self) -> None:
        """Connect, also again after a loss that was noticed before a request."""
        self._has_answered = False
        super().connect()

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        """Return the head of an answer.

        Raises:
            ClosedMeanwhile: it does not come, and an answer before did.
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
    """Have all connections of `pools` read by turns with all others, and return `pools`."""
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return pools
