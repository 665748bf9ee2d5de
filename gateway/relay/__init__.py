"""The relay, as a core without I/O.

Laws, each tested as a property:

1. Fold: at every frame boundary, a client of the coalesced stream has exactly the state of a
   client that applied every raw event.
2. Barrier: events of a part keep their order, and no delta merges across a snapshot or the removal
   of its part.
3. Causality: the event that creates an entity precedes all others about it; none follows its
   removal.
4. Last words last: the end of a turn never overtakes text that preceded it.
5. Never dropped: only deltas merge; only deltas and provisional snapshots that a later snapshot of
   the same part replaces are dropped.
6. Bounded: a reader costs the same, however far it lags.
7. Isolation: filters apply before coalescing and encoding; no reader delays another.
8. Resume: a stream continues exactly after the id that a reader names, wherever it was cut.

Data flows one way: `bus.log` (every envelope once) → a reader's cursor → `view` (its filter) →
`coalesce` → `frames`. `mark` makes the event ids, `relay` connects these steps, and `enter`
decides where a reader begins: at the position in its last id, or with upserts from the ledger.
`pacing` decides how often more of a text is sent.
"""

from bus.log import FellOff, Log
from gateway.relay.ahead import patience_s
from gateway.relay.enter import change_view, enter, go_on
from gateway.relay.entrance import Entrance, ResumeVerdict
from gateway.relay.relay import Cursor, Relay, Step
from gateway.relay.view import Endpoint, View

__all__ = [
    "Cursor",
    "Endpoint",
    "Entrance",
    "FellOff",
    "Log",
    "Relay",
    "ResumeVerdict",
    "Step",
    "View",
    "change_view",
    "enter",
    "go_on",
    "patience_s",
]
