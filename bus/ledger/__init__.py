"""The ledger: the fold of all events of one source to the latest value of each entity.

Theory of operation. The log and the journal hold what happened, and forget it past their bounds;
the ledger holds the present state. A reader that comes late, or has missed more than the log still
holds, gets *upserts*: events that hold the present value of an entity, with the text that deltas
have added so far. An upsert may be applied to any older state of the entity, and twice.

1. The kinds of entities are declared in `bus.events.catalogue`: a session, its status, diff or
   todo list, a message, a part, a permission or question that waits. The entry of an entity is the
   last event that held the whole entity, and the text that was added since.
2. Each entry knows the seq of its last change. So the ledger can send exactly the entities that
   changed after a seq.
3. A removed entity leaves a tombstone. A reader gets the removal only if the reader stands at a
   seq between the entity's birth and its removal. In a session that is not known from its
   creation on, an entity may have been born before its first event here. Seqs of different epochs
   do not compare: a reader that stands in an earlier epoch gets every removal.
4. Within a session, messages are sent before parts, and the status is sent last.
5. The ledger is bounded. Sessions at rest are dropped first, then whole messages of others.
   ``floor`` is the highest seq of any dropped entity: for a reader that stands before ``floor``,
   the ledger lacks some changes.
"""

from bus.ledger.entry import Entry, Upsert
from bus.ledger.ledger import Ledger
from bus.ledger.session import LedgerSession

__all__ = ["Entry", "Ledger", "LedgerSession", "Upsert"]
