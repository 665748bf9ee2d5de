"""Posts of workers that there are not."""

from typing import Any

from gateway.monitor.status import Fill, Post, SourceStatus, WorkerStatus
from gateway.streams.counts import Counts

EMPTY = Fill(0, 0, 100, 0.0)


def post_of(beat: float = 0.0, carried: Counts | None = None, **fields: Any) -> Post:
    """Return a post with what is given, and nothing going on beside that."""
    given = {
        "worker": 0,
        "pid": 1,
        "uptime_s": 1.0,
        "loop_lag_s": 0.0,
        "log": EMPTY,
        "ledger": EMPTY,
        "counts": Counts(),
        "in_flight": 0,
        "readers": 0,
        "sources": [],
        "laggards": [],
    }
    return Post(beat, WorkerStatus(**given | fields), carried or Counts())


def source_of(worker: int = 0, source: str = "s", **fields: Any) -> SourceStatus:
    """Return a source without a fault, but for what is given."""
    given = {"epoch": "e", "seq": 1, "heartbeat_age_s": 0.1}
    return SourceStatus(worker=worker, source=source, **given | fields)
