"""The relay, as a sans-I/O core.

Laws it holds, each a property test:

1. Fold: at every frame boundary a client that applied the coalesced stream holds exactly the
   state of one that applied every raw event.
2. Barrier: per part, order is kept, and no delta merges across a snapshot or removal of it.
3. Causality: what makes an entity precedes all else about it; nothing follows its removal.
4. Last words last: the end of a turn never overtakes text that preceded it.
5. Never dropped: only deltas merge; only deltas and provisional snapshots that a later snapshot
   of the same part replaces are dropped.
6. Bounded: a reader costs the same, however far it lags.
7. Isolation: filters apply before coalescing and encoding; no reader delays another.
8. Resume: a stream goes on exactly after the id that a reader names, wherever the cut fell.

Data flows one way: `bus.log` (every envelope once) → a reader's cursor → `view` (its filter) →
`coalesce` → `frames`, with `mark` naming each place by an id. `relay` joins them, `enter` lets
readers in, at the place that their last id names or by the ledger, `pacing` says how often further
deltas leave.
"""

from bus.log import FellOff, Log
from gateway.relay.ahead import patience_s
from gateway.relay.enter import enter, go_on, look_elsewhere
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
    "enter",
    "go_on",
    "look_elsewhere",
    "patience_s",
]
