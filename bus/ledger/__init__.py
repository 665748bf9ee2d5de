"""The ledger: the fold of all events of one source to the latest value of each entity.

Theory of operation. The log and the journal contain past events, and drop the oldest past their
bounds. The ledger contains the present state. A reader that starts late, or has missed more than
the log still contains, gets *upserts*: events that contain the present value of an entity, with
all text that deltas have appended so far. A reader may apply an upsert to any older state of the
entity, and may apply it twice.

1. `bus.events.catalogue` declares the kinds of entities: a session, its status, diff and todo
   list, a message, a part, a permission request and a question. The entry of an entity is the last
   event that contained the whole entity, and the text that was appended since.
2. Each entry has the seq of its last change. So the ledger can send exactly the entities that
   changed after a seq.
3. A removed entity leaves a tombstone. A reader gets the removal only if the reader's seq is
   between the entity's first event and its removal, since only then can the reader show the
   entity. If the ledger has not seen a session's creation, an entity of the session may be older
   than its first event here, so it counts as older than every reader. Seqs of different epochs
   cannot be compared: a reader with a seq of an earlier epoch gets every removal.
4. Within a session, messages are sent before parts, and the status is sent last.
5. The ledger is bounded. Sessions at rest are dropped first, then whole messages of other
   sessions. ``floor`` is the highest seq of any dropped entity: for a reader whose seq is below
   ``floor``, the ledger may lack some changes.
"""

from bus.ledger.entry import Entry, Upsert
from bus.ledger.ledger import Ledger
from bus.ledger.session import LedgerSession

__all__ = ["Entry", "Ledger", "LedgerSession", "Upsert"]
