"""The figures of the last quarter of an hour, one row a second, in memory that all workers share.

gunicorn's master makes this ring before it forks, so the ring outlives every worker. Each second
the first worker that wakes writes the row. If two workers write the same row, they write nearly
the same figures. The time of a row is written last; a row without its time is not read.
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
        events_in: events that came over the bus, at the worker that has received most.
        events_due: events due to readers: ``merged``, ``superseded`` and written ones.
        frames: written frames, including upserts and weir's own.
        bytes: of all frames.
        saved_bytes: about how many bytes merging has saved.
        readers: open streams.
        loop_lag_ms: the largest of all workers.
        memory_bytes: resident sets of all workers together.
        log_fill: the largest of all workers; 1 is the bound.
        ledger_fill: the largest of all workers; 1 is the bound.
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
        """Return whether the row of the second of `time_ms` is written."""
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
        """Return the rows later than `since_ms`, oldest first, each in the order of `COLUMNS`.

        Args:
            now_ms: rows that are older than the length of the ring are left out.
            since_ms: the time of the last row that the client has.
        """
        first = max(_second(since_ms), _second(now_ms) - self._rows + 1)
        found = []
        for second in range(first, _second(now_ms) + 1):
            begin = second % self._rows * len(COLUMNS)
            row = self._words[begin : begin + len(COLUMNS)].tolist()
            # The time is read again: the row may have been written meanwhile.
            whole = row[0] == self._words[begin]
            if whole and _second(int(row[0])) == second and row[0] > since_ms:
                found.append([_short(value) for value in row])
        return found

    def _begin(self, time_ms: int) -> int:
        return _second(time_ms) % self._rows * len(COLUMNS)


class Historian:
    """Writes rows for one worker.

    Args:
        history: the ring.
        bulletin: has the posts of all workers.
        clock: ns since the Unix epoch.
    """

    def __init__(
        self, history: History, bulletin: Bulletin, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._history = history
        self._bulletin = bulletin
        self._clock = clock

    def run(self) -> None:
        """Write for ever, in a greenlet of its own."""
        while True:
            self.write()
            gevent.sleep(EVERY_S - time.time() % EVERY_S)

    def write(self) -> None:
        """Write the row of this second, unless another worker has written it."""
        now_ms = self._clock() // 1_000_000
        if not self._history.has(now_ms):
            posts, counts = self._bulletin.workers(), self._bulletin.counted()
            self._history.write(sample_of(now_ms, posts, counts))


def sample_of(time_ms: int, posts: list[Post], counts: Counts) -> Sample:
    """Return the figures of a moment.

    Args:
        time_ms: of the moment.
        posts: of the living workers.
        counts: of all workers, including ended ones.
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
