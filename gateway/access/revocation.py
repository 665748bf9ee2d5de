"""Ends the streams and requests of a token when the token becomes invalid."""

from __future__ import annotations

from collections.abc import Iterable

import gevent

from gateway.access.identity import Identity
from gateway.door.wire import Wire
from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers

_LOOK_S = 0.25


class Revocation:
    """Checks the tokens several times a second.

    Args:
        identity: knows which tokens are valid.
        readers: the event streams of the worker.
        served: the connections whose requests are not answered yet.
    """

    def __init__(self, identity: Identity, readers: Readers, served: Iterable[Wire]) -> None:
        self._identity = identity
        self._readers = readers
        self._served = served

    def run(self) -> None:
        """Check for ever, in a greenlet of its own."""
        while True:
            gevent.sleep(_LOOK_S)
            self.look()

    def look(self) -> None:
        """End streams and requests of tokens that are not valid any more."""
        if not self._identity.look():
            return
        for reader in list(self._readers):
            if not self._identity.holds(reader.client.principal):
                reader.leave(Cause.REVOKED)
        for wire in list(self._served):
            if not self._identity.holds(wire.principal):
                wire.abort()
