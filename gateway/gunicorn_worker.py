"""Gunicorn's gevent worker, with a door of weir's own and an end in order.

At its end, which is a stop or a reload, a worker takes no more connections: they wait in the
listening socket, which the master and the other workers hold as well. Readers are let go one by
one, other requests are finished, and connections that wait for nothing are closed; a connection
that has just come is given a moment for its first request. A request that has come but is not read
yet, since the loop was late, is answered: to close its connection would reset it. At a stop the
master's patience ends first (`graceful_timeout`).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import gevent
from gevent.pool import Group
from gevent.server import StreamServer
from gunicorn.workers.ggevent import GeventWorker

if TYPE_CHECKING:  # loaded by each worker itself: a reload loads it anew
    from gateway.app import Worker
    from gateway.door.slots import Slots

log = logging.getLogger("weir.gateway")

_TICK_S = 0.1
# More would leave connections to one worker that another has time for; with fewer a burst fills
# the listening socket, and what finds no place there is delayed by a second and longer.
_ACCEPTED_AT_ONCE = 4
_FINISH_WITHIN_S = 60.0
_SPEAK_WITHIN_S = 0.5
_KILL_WITHIN_S = 1.0


class _Server(StreamServer):
    """Accepts connections while there are slots; past that they wait in the listening socket.

    The door closes them: one may outlive the greenlet that serves its requests.
    """

    def __init__(self, listener: Any, handle: Any, greenlets: Group, slots: Slots) -> None:
        super().__init__(listener, handle, spawn=greenlets.spawn)  # type: ignore[call-overload]
        self._slots = slots
        slots.on_room.append(self._accept_again)

    def do_read(self) -> Any:
        """Accept a connection."""
        accepted = super().do_read()
        if accepted:
            self._slots.come()
        return accepted

    def do_close(self, *_accepted: Any) -> None:
        """Leave the connection to the door."""

    def full(self) -> bool:
        """Tell whether no connection is to be accepted."""
        return self._slots.full

    def _accept_again(self) -> None:
        if self.started:
            self.start_accepting()


class GatewayWorker(GeventWorker):  # type: ignore[misc]
    """Hands every connection to the door.

    Attributes:
        gateway: what it serves with; set before it runs.
    """

    gateway: Worker

    def run(self) -> None:
        """Serve until the worker is told to stop, then end in order."""
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

    def _server(self, listener: Any, greenlets: Group) -> _Server:
        listener.setblocking(1)
        server = _Server(listener, self._handle, greenlets, self.gateway.door.slots)
        if self.cfg.workers > 1:
            server.max_accept = _ACCEPTED_AT_ONCE
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
        """Let readers go, and wait until what others have asked for is answered."""
        door = self.gateway.door
        draining = gevent.spawn(self.gateway.drain)
        began = time.monotonic()
        while not draining.ready() or self._unfinished(time.monotonic() - began):
            self._tick()
        if door.served:
            log.warning("%d requests are broken off", len(door.served))

    def _unfinished(self, waited_s: float) -> bool:
        """Tell whether there is something to wait for, once readers are let go."""
        door = self.gateway.door
        if door.served or door.slots.unread():
            return not self.gateway.broken and waited_s < _FINISH_WITHIN_S
        return bool(door.fresh) and waited_s < _SPEAK_WITHIN_S
