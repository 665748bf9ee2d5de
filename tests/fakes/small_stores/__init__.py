"""Small bounds for all that a processor or a gateway's worker may store."""

from bus import log, publisher
from bus.ledger.ledger import Ledger
from bus.ledger.tombstones import Tombstones
from bus.log import Log
from gateway.relay import relay
from gateway.relay.relay import Relay
from processor.upstream.holes import Holes
from processor.upstream.memory import Memory

_BYTES = 256 * 1024
_CACHE_BYTES = 16 * 1024
_EVENTS = 256
_SEGMENT_EVENTS = 4
_ENTITIES = 32


def install() -> None:
    """Have what is made from now on be small; given bounds stay as they are."""
    log.SEGMENT_EVENTS = _SEGMENT_EVENTS
    publisher._JOURNAL_BYTES = _BYTES
    relay._CACHE_BYTES = _CACHE_BYTES
    Log.__init__.__defaults__ = (_EVENTS, _BYTES, 0)
    Ledger.__init__.__defaults__ = (_BYTES, 600.0)
    Relay.__init__.__defaults__ = (None, _BYTES)
    Tombstones.__init__.__defaults__ = (_ENTITIES,)
    Memory.__init__.__defaults__ = (_ENTITIES, _ENTITIES)
    Holes.__init__.__defaults__ = (_ENTITIES,)
