"""The last quarter of an hour in figures, one row a second, in memory that all workers share.

gunicorn's master makes the ring before it forks, so the ring outlives every worker. Each second
one worker writes the row: the first whose turn comes. Two workers that write the same row write
nearly the same figures. A row's time is written last: a reader that finds a row without its time
leaves that row out.
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
    """The figures of one second. Counters grow from the start of the gateway on.

    Attributes:
        time_ms: since the Unix epoch.
        events_in: events that came over the bus, as the worker that has most of them counts.
        events_due: events that readers were due: ``merged``, ``superseded`` and written ones.
        frames: frames written, upserts and weir's own included.
        bytes: of all frames.
        saved_bytes: what merging has saved, about.
        readers: open streams.
        loop_lag_ms: of the worker whose loop was latest.
        memory_bytes: resident sets of all workers together.
        log_fill: of the worker whose log is fullest; 1 is its bound.
        ledger_fill: likewise.
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
    """The ring.

    Args:
        rows: how many seconds it holds.
    """

    def __init__(self, rows: int = ROWS) -> None:
        self._rows = rows
        self._memory = mmap.mmap(-1, rows * len(COLUMNS) * _WORD)
        self._words = memoryview(self._memory).cast("d")

    def has(self, time_ms: int) -> bool:
        """Tell whether the second of `time_ms` has its row."""
        written_ms = self._words[self._begin(time_ms)]
        return _second(int(written_ms)) == _second(time_ms)

    def write(self, sample: Sample) -> None:
        """Write the row of a second in place of the oldest row."""
        begin = self._begin(int(sample.time_ms))
        values = astuple(sample)
        self._words[begin] = 0
        for column, value in enumerate(values[1:], start=1):
            self._words[begin + column] = value
        self._words[begin] = values[0]

    def rows(self, now_ms: int, since_ms: int = 0) -> list[list[float]]:
        """Return the rows later than `since_ms`, the oldest first, each in the order of `COLUMNS`.

        Args:
            now_ms: a row that is older than the ring is long is left out.
            since_ms: the time of the last row that is known already.
        """
        first = max(_second(since_ms), _second(now_ms) - self._rows + 1)
        found = []
        for second in range(first, _second(now_ms) + 1):
            begin = second % self._rows * len(COLUMNS)
            row = self._words[begin : begin + len(COLUMNS)].tolist()
            # The time is looked at again: the row may have been written meanwhile.
            whole = row[0] == self._words[begin]
            if whole and _second(int(row[0])) == second and row[0] > since_ms:
                found.append([_short(value) for value in row])
        return found

    def _begin(self, time_ms: int) -> int:
        return _second(time_ms) % self._rows * len(COLUMNS)


class Historian:
    """One worker's part in writing the history.

    Args:
        history: where to write.
        bulletin: tells what all workers are like.
        clock: ns since the Unix epoch.
    """

    def __init__(
        self, history: History, bulletin: Bulletin, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._history = history
        self._bulletin = bulletin
        self._clock = clock

    def run(self) -> None:
        """Write for ever; a greenlet of its own."""
        while True:
            self.write()
            gevent.sleep(EVERY_S - time.time() % EVERY_S)

    def write(self) -> None:
        """Write the row of this second, unless another worker has."""
        now_ms = self._clock() // 1_000_000
        if not self._history.has(now_ms):
            posts, counts = self._bulletin.workers(), self._bulletin.counted()
            self._history.write(sample_of(now_ms, posts, counts))


def sample_of(time_ms: int, posts: list[Post], counts: Counts) -> Sample:
    """Return the figures of a moment.

    Args:
        time_ms: of the moment.
        posts: of the workers that live.
        counts: of all workers there ever were.
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
