"""Connections to the upstream that wait for another request.

1. Only a request that may be sent twice is sent on an idle connection. The upstream may close the
   connection at the same moment, and weir could not know whether the upstream has executed the
   request.
2. If the upstream closes an idle connection, the pool closes it too, at once.
3. The pool keeps at most `_MAX_IDLE` idle connections, each for at most `_MAX_IDLE_S` seconds. The
   number of connections in use is limited by the number of a worker's clients.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

from gateway.proxy.connection import UpstreamConnection
from gateway.streams.peer_watch import PeerWatch

_MAX_IDLE = 32
_MAX_IDLE_S = 15.0


class _Idle(Struct, eq=False):
    connection: UpstreamConnection
    since: float
    watch: PeerWatch | None = None


class Pool:
    """The idle connections of one worker.

    Args:
        open_new: opens a connection; its exceptions are passed on to the caller.
    """

    def __init__(self, open_new: Callable[[], UpstreamConnection]) -> None:
        self._open_new = open_new
        self._idle: list[_Idle] = []

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, repeatable: bool) -> UpstreamConnection:
        """Return a connection for one request.

        Args:
            repeatable: the request may be sent again if the upstream has closed the connection;
                if not, a new connection is opened.
        """
        self._drop_old()
        while repeatable and self._idle:
            # The connection that was used last, which the upstream is least likely to close now.
            idle = self._idle.pop()
            _unwatch(idle)
            if idle.connection.is_quiet():
                return idle.connection
            idle.connection.close()
        return self._open_new()

    def give_back(self, connection: UpstreamConnection) -> None:
        """Keep a connection for later requests, or close it if it cannot be used again."""
        if not connection.recycle() or not connection.is_quiet():
            connection.close()
            return
        idle = _Idle(connection, time.monotonic())
        idle.watch = PeerWatch(connection.sock, lambda _: self._closed_by_upstream(idle))
        self._idle.append(idle)
        if len(self._idle) > _MAX_IDLE:
            self._drop(self._idle[0])

    def _closed_by_upstream(self, idle: _Idle) -> None:
        if idle in self._idle:
            self._drop(idle)

    def _drop_old(self) -> None:
        oldest = time.monotonic() - _MAX_IDLE_S
        for idle in [idle for idle in self._idle if idle.since < oldest]:
            self._drop(idle)

    def _drop(self, idle: _Idle) -> None:
        self._idle.remove(idle)
        _unwatch(idle)
        idle.connection.close()


def _unwatch(idle: _Idle) -> None:
    if idle.watch is not None:
        idle.watch.close()
