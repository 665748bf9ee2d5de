"""Small bounds for all that a processor or a gateway's worker may store.

A Python with this folder on its path has `FILLED_SOON` from its start.
"""

from pathlib import Path
from typing import NamedTuple

from bus import log
from bus.ledger.ledger import Ledger
from bus.ledger.tombstones import Tombstones
from bus.log import Log
from bus.transport import publisher
from gateway.relay import relay
from gateway.relay.relay import Relay
from processor.upstream.holes import Holes
from processor.upstream.memory import UpstreamMemory

FOLDER = Path(__file__).parent


class Bounds(NamedTuple):
    """What may be stored.

    Attributes:
        bytes: of a log, journal or ledger.
        cache_bytes: of frames that readers share.
        events: of a log.
        segment_events: of a segment of it.
        sessions: that are remembered, those that are gone included.
        entities: messages and parts that are remembered.
    """

    bytes: int
    cache_bytes: int
    events: int
    segment_events: int
    sessions: int
    entities: int


FILLED_AT_ONCE = Bounds(256 * 1024, 16 * 1024, 256, 4, 32, 32)
FILLED_SOON = Bounds(2 * 1024 * 1024, 128 * 1024, 4096, 128, 64, 512)
"""By a soak within a minute; its turns fit into it."""


def install(bounds: Bounds) -> None:
    """Have what is made from now on be small; bounds that are given stay as they are."""
    log.SEGMENT_EVENTS = bounds.segment_events
    publisher._JOURNAL_BYTES = bounds.bytes
    relay._CACHE_BYTES = bounds.cache_bytes
    Log.__init__.__defaults__ = (bounds.events, bounds.bytes, 0)
    Ledger.__init__.__defaults__ = (bounds.bytes, 600.0)
    Relay.__init__.__defaults__ = (None, bounds.bytes)
    Tombstones.__init__.__defaults__ = (bounds.sessions,)
    UpstreamMemory.__init__.__defaults__ = (bounds.sessions, bounds.entities)
    Holes.__init__.__defaults__ = (bounds.entities,)
