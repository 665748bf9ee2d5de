"""The ledger: the fold of all events of one source to the latest value of each entity.

Theory of operation. The log and the journal hold what happened, and forget it past their bounds;
the ledger holds what is. Whoever comes late, or has missed more than the log still holds, is
brought up to date by *upserts*: events that say what an entity is now, with the text that its
deltas have brought so far. An upsert may be applied to any older state of the entity, and twice.

1. The kinds of entities are declared in `bus.events.catalogue`: a session, its status, diff or
   todo list, a message, a part, a permission or question that waits. The entry of an entity is the
   last event that told all of it, and what grew since.
2. Each entry knows the seq of its last change. So what changed after a seq can be told, and
   nothing else need be.
3. What is gone leaves a tombstone, for those who knew it: who stands at a seq between the
   entity's birth and its removal is told of the removal, nobody else is. In a session that is not
   known from its creation on, an entity may have been born before it was heard of. Seqs of
   different epochs do not compare: who stands in an earlier one is told of every removal there.
4. Of a session, messages are told before parts, and the status last.
5. It is bounded. Sessions at rest go first, then whole messages of others. ``floor`` is the
   highest seq of anything it has forgotten: who stands before that cannot be made whole by it.
"""

from bus.ledger.entry import Entry, Upsert
from bus.ledger.ledger import Ledger
from bus.ledger.session import LedgerSession

__all__ = ["Entry", "Ledger", "LedgerSession", "Upsert"]
