"""What a subscriber knows of each source that it hears."""

from __future__ import annotations

from collections import deque
from functools import partial

from msgspec import Struct, field

# A late frame is of an epoch that ended while the frame was on its way: the last epoch, or one of
# a few that ended at once. Of an older epoch, a snapshot says again that the epoch is over.
MOST_OVER = 16


class SourceCounts(Struct, kw_only=True):
    """What is counted of one source.

    Attributes:
        gaps: how often events were missing.
        repaired: missing events that a replay brought.
        lost: missing events that no replay can bring.
        snapshots: how often a snapshot took the place of missing events.
        restarts: changes of epoch seen.
    """

    gaps: int = 0
    repaired: int = 0
    lost: int = 0
    snapshots: int = 0
    restarts: int = 0


class SourceState(SourceCounts):
    """What is known of one source.

    Attributes:
        epoch: of its current start.
        seq: of the last event that was delivered, or that a snapshot covers.
        alive_at: when the last frame came, on the clock of the caller of `GapRepair`.
        upto: the last seq known to be missing behind an open gap, else at most `seq`.
        tried_at: when the last attempt to repair that gap failed, on the same clock.
        over: epochs that have ended, the last `MOST_OVER`.
    """

    epoch: str
    seq: int
    alive_at: float
    upto: int = 0
    tried_at: float = 0.0
    over: deque[str] = field(default_factory=partial(deque, maxlen=MOST_OVER))

    @property
    def is_broken(self) -> bool:
        """Whether there is a gap that could not be repaired so far."""
        return self.upto > self.seq
