"""The WebSockets of one worker: their limit, and their end when the worker stops."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

from gateway.door.wire import Wire
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.failures import Refusal
from gateway.proxy.tunnel import CLOSE_WITHIN_S, ClosedBy, Tunnel

log = logging.getLogger("weir.gateway")

BOUND = "WebSockets"


class Tunnels:
    """Runs and counts the tunnels (open WebSockets) of a worker.

    Args:
        most: how many tunnels may be open.

    Attributes:
        closed: how many tunnels have ended, by the side that ended them (`ClosedBy`).
    """

    def __init__(self, most: int) -> None:
        self.closed = {by.value: 0 for by in ClosedBy}
        self._most = most
        self._taken = 0
        self._open: set[Tunnel] = set()
        self._ends = False

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Count a tunnel against the limit during the block, from its handshake to its end.

        Raises:
            Refusal: the limit is reached, or the worker stops (503).
        """
        if self._ends:
            raise Refusal(503, "this worker stops; connect again")
        if self._taken >= self._most:
            words = f"this worker already has {self._most} WebSockets, its limit; try again"
            raise Refusal(503, words, bound=BOUND)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    def run(self, client: Wire, upstream: UpstreamConnection) -> None:
        """Pass bytes until both sides have ended, then close the upstream's connection."""
        client.become_stream()
        tunnel = Tunnel(client, upstream)
        self._open.add(tunnel)
        if self._ends:
            gevent.spawn(tunnel.drain)
        try:
            self.closed[tunnel.run().value] += 1
        finally:
            self._open.discard(tunnel)
            upstream.close()

    def drain(self, window_s: float) -> None:
        """End all tunnels at random moments within `window_s` seconds; return when all have ended.

        The moments differ so that the clients do not all connect again at the same time.
        """
        self._ends = True
        spread_s = max(0.0, window_s - CLOSE_WITHIN_S)
        draw = random.Random().uniform
        ending = [gevent.spawn_later(draw(0, spread_s), one.drain) for one in self._open]
        gevent.joinall(ending)
        if ending:
            log.info("the worker stops: %d WebSockets were closed", len(ending))
