"""What a subscriber knows of each source of events: position, gaps and counters."""

from __future__ import annotations

from collections import deque
from functools import partial

from msgspec import Struct, field

# A late frame belongs to an epoch that ended while the frame was on its way: the previous epoch,
# or one of a few epochs that ended in quick succession. A frame of a still older epoch leads to a
# snapshot, which shows again that this epoch is over.
MOST_OVER = 16


class SourceCounts(Struct, kw_only=True):
    """Counters of one source.

    Attributes:
        gaps: how often events were missing.
        repaired: missing events that came by a replay.
        lost: missing events that no replay can bring.
        snapshots: how often a snapshot replaced missing events.
        restarts: how often the epoch changed.
    """

    gaps: int = 0
    repaired: int = 0
    lost: int = 0
    snapshots: int = 0
    restarts: int = 0


class SourceState(SourceCounts):
    """What a subscriber has received from one source, a processor.

    Attributes:
        epoch: names the source's current start.
        seq: of the last event that was delivered, or that a snapshot covers.
        alive_at: when the last frame of the current epoch came, on the clock of the caller of
            `GapRepair`.
        upto: the last missing seq of a gap that is not repaired; at most `seq` if there is no gap.
        tried_at: when a question to this source last failed, on the same clock.
        over: epochs that were current before, or that a snapshot showed to have ended; the last
            `MOST_OVER`.
    """

    epoch: str
    seq: int
    alive_at: float
    upto: int = 0
    tried_at: float = 0.0
    over: deque[str] = field(default_factory=partial(deque, maxlen=MOST_OVER))

    @property
    def is_broken(self) -> bool:
        """Whether there is a gap that is not repaired yet."""
        return self.upto > self.seq
