"""Statistics of the last quarter of an hour, one row a second, in memory that all workers share.

gunicorn's master creates this ring buffer before it forks, so it outlives every worker. Each
second, the first worker that wakes writes the row for all workers. If two workers write the same
row, they write nearly the same figures. The time of a row is set to 0 while the row is written,
and a row with this time is not read.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

import gevent
from msgspec import Struct
from msgspec.structs import astuple

from gateway.monitor.bulletin import Bulletin
from gateway.monitor.status import Post
from gateway.streams.counts import Counts

EVERY_S = 1
ROWS = 900
_MS = 1000
_WORD = 8


class Sample(Struct, frozen=True, kw_only=True):
    """The statistics at one second. Events, frames and bytes count from the gateway's start.

    Attributes:
        time_ms: the time, ms since the Unix epoch.
        events_in: events from the processors, at the worker that has received most.
        events_due: events that the readers' filters admitted: written, merged or superseded.
        frames: SSE frames written to readers, including heartbeats.
        merged: deltas that were joined to another delta's frame.
        superseded: events that were left out, because a later snapshot replaces them.
        bytes: the bytes of all frames.
        saved_bytes: about how many bytes merging and leaving out have saved.
        readers: open event streams.
        loop_lag_ms: the longest recent delay of an event loop, of all workers.
        memory_bytes: the memory (resident set) of all workers together.
        log_fill: how full the fullest worker's log of events is; 1 is its bound.
        ledger_fill: how full the fullest worker's ledger of present values is; 1 is its bound.
    """

    time_ms: float = 0
    events_in: float = 0
    events_due: float = 0
    frames: float = 0
    merged: float = 0
    superseded: float = 0
    bytes: float = 0
    saved_bytes: float = 0
    readers: float = 0
    loop_lag_ms: float = 0
    memory_bytes: float = 0
    log_fill: float = 0
    ledger_fill: float = 0


COLUMNS = Sample.__struct_fields__


class History:
    """The ring buffer of the latest rows.

    Args:
        rows: how many rows it holds, one for each second.
    """

    def __init__(self, rows: int = ROWS) -> None:
        self._rows = rows
        self._memory = mmap.mmap(-1, rows * len(COLUMNS) * _WORD)
        self._words = memoryview(self._memory).cast("d")

    def has(self, time_ms: int) -> bool:
        """Return whether the row for the second that contains `time_ms` has been written."""
        written_ms = self._words[self._begin(time_ms)]
        return _second(int(written_ms)) == _second(time_ms)

    def write(self, sample: Sample) -> None:
        """Write the row for a second in place of the oldest row."""
        begin = self._begin(int(sample.time_ms))
        values = astuple(sample)
        self._words[begin] = 0
        for column, value in enumerate(values[1:], start=1):
            self._words[begin + column] = value
        self._words[begin] = values[0]

    def rows(self, now_ms: int, since_ms: int = 0) -> list[list[float]]:
        """Return the rows later than `since_ms`, oldest first, each in the order of `COLUMNS`.

        Args:
            now_ms: the time, ms since the Unix epoch.
            since_ms: the time of the last row that the client has, ms since the Unix epoch.
        """
        first = max(_second(since_ms), _second(now_ms) - self._rows + 1)
        found = []
        for second in range(first, _second(now_ms) + 1):
            begin = second % self._rows * len(COLUMNS)
            row = self._words[begin : begin + len(COLUMNS)].tolist()
            # The time is compared again, since a worker may have overwritten the row meanwhile.
            whole = row[0] == self._words[begin]
            if whole and _second(int(row[0])) == second and row[0] > since_ms:
                found.append([_short(value) for value in row])
        return found

    def _begin(self, time_ms: int) -> int:
        return _second(time_ms) % self._rows * len(COLUMNS)


class Historian:
    """Writes a row into the history each second, if no other worker has done so.

    Args:
        history: the ring buffer that all workers share.
        bulletin: has the latest status of all workers.
        clock: returns the time, ns since the Unix epoch.
    """

    def __init__(
        self, history: History, bulletin: Bulletin, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._history = history
        self._bulletin = bulletin
        self._clock = clock

    def run(self) -> None:
        """Call `write` each second, for ever; needs a greenlet of its own."""
        while True:
            self.write()
            gevent.sleep(EVERY_S - time.time() % EVERY_S)

    def write(self) -> None:
        """Write the row for this second, unless another worker has written it."""
        now_ms = self._clock() // 1_000_000
        if not self._history.has(now_ms):
            posts, counts = self._bulletin.workers(), self._bulletin.counted()
            self._history.write(sample_of(now_ms, posts, counts))


def sample_of(time_ms: int, posts: list[Post], counts: Counts) -> Sample:
    """Return the row for one second.

    Args:
        time_ms: the time of the row, ms since the Unix epoch.
        posts: the latest status of each running worker.
        counts: the sums of the counters of all workers, including workers that have ended.
    """
    sent, workers = counts.sent, [post.status for post in posts]
    received = ((post.status.counts + post.carried).received for post in posts)
    return Sample(
        time_ms=time_ms,
        events_in=max(received, default=0),
        events_due=sent.events,
        frames=sent.frames + sent.upserts + sent.own_frames,
        merged=sent.merged,
        superseded=sent.superseded,
        bytes=sent.bytes,
        saved_bytes=sent.saved_bytes,
        readers=sum(worker.readers for worker in workers),
        loop_lag_ms=_MS * max((worker.loop_lag_s for worker in workers), default=0),
        memory_bytes=sum(worker.memory_bytes for worker in workers),
        log_fill=max((worker.log.fill for worker in workers), default=0),
        ledger_fill=max((worker.ledger.fill for worker in workers), default=0),
    )


def _second(time_ms: int) -> int:
    return time_ms // (EVERY_S * _MS)


def _short(value: float) -> float:
    return int(value) if value.is_integer() else round(value, 4)
