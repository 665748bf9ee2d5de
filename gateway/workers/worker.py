"""Gunicorn's gevent worker, with weir's own HTTP server; it ends without losing requests.

When a worker ends, at a stop or a reload, it accepts no more connections: these wait in the
listening socket, which the master and the other workers have as well. Event streams are ended one
by one, other requests are finished, and idle connections are closed. A new connection gets half a
second for its first request. A request that has come but is not read yet, because the event loop
was late, is answered: to close its connection would reset it. All this takes a minute at most; at
a stop, the master kills the worker earlier (`graceful_timeout`).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import gevent
from gevent.pool import Group
from gunicorn.workers.ggevent import GeventWorker

from gateway.workers.acceptance import Acceptance

if TYPE_CHECKING:  # the master must not import it: workers after a reload would have old code
    from gateway.app import Worker

log = logging.getLogger("weir.gateway")

_TICK_S = 0.1
_FINISH_WITHIN_S = 60.0
_SPEAK_WITHIN_S = 0.5
_KILL_WITHIN_S = 1.0


class GatewayWorker(GeventWorker):  # type: ignore[misc]
    """A gunicorn worker that passes every connection to weir's HTTP server (`gateway.door`).

    Attributes:
        gateway: has the HTTP server; set before `run` is called.
    """

    gateway: Worker

    def run(self) -> None:
        """Serve until the worker is stopped; then finish requests, and end."""
        self.gateway.door.closing = lambda: not self.alive
        greenlets = Group()
        servers = [self._server(listener, greenlets) for listener in self.sockets]
        while self.alive:
            self._tick()
        for server in servers:
            server.close()
        self._finish()
        greenlets.kill(timeout=_KILL_WITHIN_S)
        self.gateway.sign_off()

    def _server(self, listener: Any, greenlets: Group) -> Acceptance:
        listener.setblocking(1)
        slots, shared = self.gateway.door.slots, self.cfg.workers > 1
        server = Acceptance(listener, self._handle, greenlets, slots, shared)
        server.start()
        return server

    def _handle(self, client: Any, address: Any) -> None:
        client.setblocking(1)
        self.gateway.door.serve(client, str(address[0]) if address else "")

    def _tick(self) -> None:
        self.notify()
        slots = self.gateway.door.slots
        slots.make_room()
        slots.sweep()
        gevent.sleep(_TICK_S)

    def _finish(self) -> None:
        """End all event streams, and wait until other requests are answered."""
        door = self.gateway.door
        draining = gevent.spawn(self.gateway.drain)
        began = time.monotonic()
        while not draining.ready() or self._unfinished(time.monotonic() - began):
            self._tick()
        if door.served:
            log.warning(
                "the worker stops before %d requests are answered: their connections are closed",
                len(door.served),
            )

    def _unfinished(self, waited_s: float) -> bool:
        """Return whether requests are still to be answered, and the time for this is not over."""
        door = self.gateway.door
        if door.served or door.slots.unread():
            return not self.gateway.broken and waited_s < _FINISH_WITHIN_S
        return bool(door.fresh) and waited_s < _SPEAK_WITHIN_S
