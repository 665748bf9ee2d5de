"""Connections to the upstream that wait for another request.

1. Only a request that may be sent twice goes out on an idle connection. The upstream may be
   closing the connection at this very moment, and weir could not know whether it has carried out
   the request.
2. An idle connection is watched: if the upstream closes it, the pool closes it at once.
3. There are few idle connections, and none gets old. Connections in use are bounded by the client
   connections of a worker.
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
        open_new: makes a connection; its exceptions pass through.
    """

    def __init__(self, open_new: Callable[[], UpstreamConnection]) -> None:
        self._open_new = open_new
        self._idle: list[_Idle] = []

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, repeatable: bool) -> UpstreamConnection:
        """Return a connection for one request.

        Args:
            repeatable: the request may be sent again if the connection turns out to be closed.
        """
        self._drop_old()
        while repeatable and self._idle:
            # The youngest connection: the upstream is least likely to close it.
            idle = self._idle.pop()
            _unwatch(idle)
            if idle.connection.is_quiet():
                return idle.connection
            idle.connection.close()
        return self._open_new()

    def give_back(self, connection: UpstreamConnection) -> None:
        """Keep a connection whose answer has been read to its end, if it may be used again."""
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
