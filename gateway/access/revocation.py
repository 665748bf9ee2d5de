"""Ends the open streams and requests of a principal once the principal has lost its grants.

A token may be revoked or expire, and the grants of a person may change.
"""

from __future__ import annotations

from collections.abc import Iterable

import gevent

from bus.process.fairness import TimeSlice
from gateway.access.identity import Identity
from gateway.door.wire import Wire
from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers

_LOOK_S = 0.25


class Revocation:
    """Checks several times a second which principals still have their grants.

    Args:
        identity: knows the principals' present grants.
        readers: the open event streams of the worker.
        served: the connections with a request that is not answered yet.
    """

    def __init__(self, identity: Identity, readers: Readers, served: Iterable[Wire]) -> None:
        self._identity = identity
        self._readers = readers
        self._served = served

    def run(self) -> None:
        """Check again and again, without end; runs in a greenlet of its own."""
        while True:
            gevent.sleep(_LOOK_S)
            self.look()

    def look(self) -> None:
        """End the streams and requests of all principals that have lost their grants."""
        if not self._identity.look():
            return
        turn = TimeSlice()
        for reader in list(self._readers):
            turn.pass_on_if_over()
            if not self._identity.holds(reader.client.principal):
                reader.leave(Cause.REVOKED)
        for wire in list(self._served):
            turn.pass_on_if_over()
            if not self._identity.holds(wire.principal):
                wire.abort()
