"""Writes a publisher's journal to its stream, step by step; see `bus.redis.writer` for the loop.

Theory of operation
===================

The appender is a cursor in the publisher's journal, so it needs no queue of its own. Each entry is
the run of events at the cursor. When a connection is lost, it is not known what Redis has taken,
and after a failover the new primary may lack what the old one had taken. So after each connect
the appender asks for the last entry of its epoch, and goes on after that entry. If the journal
does not reach back so far, it stores a snapshot, and goes on after the snapshot.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections import deque

import gevent
import redis

from bus.ledger import snapshot
from bus.log import FellOff
from bus.redis.client import RedisClient
from bus.redis.keys import (
    EPOCH,
    FRAME,
    SOURCES,
    commands_of,
    entry_id,
    log_of,
    parts_of,
    snapshot_of,
)
from bus.redis.lease import Lease, SourceTaken
from bus.transport.codec import Batch, encode
from bus.transport.publisher import Publisher

log = logging.getLogger("weir.bus")

STREAM_BYTES = 64 * 1024 * 1024
"""Bytes of frames that a stream keeps for bridges that were cut off."""
SNAPSHOT_BYTES = 8 * 1024 * 1024
"""A snapshot is stored again after so many bytes of frames, or after `SNAPSHOT_S`."""
SNAPSHOT_S = 10.0
_SNAPSHOT_SHARE = 50
"""A snapshot is not stored again before this many times its own cost."""
_SOURCE_S = 7 * 86400
_ENTRIES_AT_ONCE = 64


class Appender:
    """Writes the events of one publisher.

    Args:
        publisher: has the journal and the ledger.
        stream_bytes: bytes of frames that the stream keeps.
    """

    def __init__(self, publisher: Publisher, stream_bytes: int = STREAM_BYTES) -> None:
        self._publisher = publisher
        self._stream_bytes = stream_bytes
        self._lease = Lease(publisher.source, publisher.epoch)
        self._key = log_of(publisher.source)
        self._next = 1
        self._written: deque[tuple[str, int]] = deque()
        self._bytes = 0
        self._is_new = True
        self._snapshot_seq = -1
        self._snapshot_at = 0.0
        self._snapshot_cost_s = 0.0
        self._since_snapshot = 0

    def begin(self, client: RedisClient) -> bool:
        """Take the lease, and find out what Redis has of this epoch.

        Returns:
            False while an older epoch holds the lease.

        Raises:
            SourceTaken: a later epoch writes.
        """
        if not self._lease.take(client):
            return False
        publisher = self._publisher
        if self._is_new:
            client.delete(commands_of(publisher.source))  # they were for an earlier epoch
        first = entry_id(publisher.epoch, 0)
        (ours, _), (ms, seq) = parts_of(first.encode()), self._last(client)
        if ms > ours:
            raise SourceTaken(
                f"source {publisher.source}: a later epoch has written to the stream"
            )
        if ms < ours:
            self._store_snapshot(client)
            client.xadd(self._key, {EPOCH: publisher.epoch}, id=first)
            self._written.clear()
            self._bytes = seq = 0
        self._is_new = False
        self._next = seq + 1
        self.sign(client)
        return True

    def write(self, client: RedisClient) -> None:
        """Write all events that are published.

        Raises:
            SourceTaken: a later epoch writes.
        """
        publisher = self._publisher
        publisher.flush()
        while self._next <= publisher.seq:
            try:
                frames, end = self._frames()
            except FellOff:
                self._skip(client)
            else:
                self._append(client, frames)
                self._next = end

    def sign(self, client: RedisClient) -> bool:
        """Show a sign of life; return False if the lease is lost."""
        if not self._lease.take(client):
            return False
        now = time.time()
        with client.pipeline(transaction=False) as pipe:
            pipe.zadd(SOURCES, {self._publisher.source: now})
            pipe.zremrangebyscore(SOURCES, 0, now - _SOURCE_S)
            pipe.execute()
        return True

    def keep(self, client: RedisClient) -> None:
        """Store a snapshot if it is time for one."""
        rest_s = max(SNAPSHOT_S, self._snapshot_cost_s * _SNAPSHOT_SHARE)
        is_due = time.monotonic() - self._snapshot_at >= rest_s
        is_due = is_due or self._since_snapshot >= SNAPSHOT_BYTES
        if is_due and self._publisher.seq != self._snapshot_seq:
            self._store_snapshot(client)

    def end(self, client: RedisClient) -> None:
        """Give the lease back, so that the next processor need not wait for its end."""
        self._lease.release(client)

    def _last(self, client: RedisClient) -> tuple[int, int]:
        entries = client.xrevrange(self._key, count=1)
        return parts_of(entries[0][0]) if entries else (0, 0)

    def _frames(self) -> tuple[list[tuple[str, bytes]], int]:
        """Return the next entries, and the seq after them.

        Raises:
            FellOff: the journal has dropped events that are not written.
        """
        publisher, position = self._publisher, self._next
        frames = list[tuple[str, bytes]]()
        while position <= publisher.seq and len(frames) < _ENTRIES_AT_ONCE:
            run = publisher.journal.run(position)
            position = run.end
            data = encode(Batch(list(run.envelopes)))
            frames.append((entry_id(publisher.epoch, position - 1), data))
        return frames, position

    def _append(self, client: RedisClient, frames: list[tuple[str, bytes]]) -> None:
        with client.pipeline(transaction=False) as pipe:
            for name, data in frames:
                pipe.xadd(self._key, {FRAME: data}, id=name)
            try:
                pipe.execute()
            except redis.ResponseError as error:
                if "equal or smaller" not in str(error):
                    raise
                words = f"source {self._publisher.source}: a later epoch writes to the stream"
                raise SourceTaken(words) from error
        for name, data in frames:
            self._written.append((name, len(data)))
            self._bytes += len(data)
            self._since_snapshot += len(data)
        self._trim(client)

    def _trim(self, client: RedisClient) -> None:
        """Drop the oldest entries past the bound; Redis may keep some more of them."""
        if self._bytes <= self._stream_bytes:
            return
        while self._bytes > self._stream_bytes:
            _, size = self._written.popleft()
            self._bytes -= size
        kept = self._written[0][0] if self._written else entry_id(self._publisher.epoch, 0)
        client.xtrim(self._key, minid=kept, approximate=True)

    def _skip(self, client: RedisClient) -> None:
        """Go on after a snapshot: the journal has dropped events that Redis lacks."""
        before, self._next = self._next, self._store_snapshot(client) + 1
        log.error(
            "event source %s: Redis was away for so long that it lacks %d events; readers get the "
            "current state instead",
            self._publisher.source,
            self._next - before,
        )

    def _store_snapshot(self, client: RedisClient) -> int:
        """Store a snapshot; return the seq at which it is valid."""
        publisher, began = self._publisher, time.monotonic()
        publisher.flush()
        seq, tail = publisher.seq, publisher.journal.tail - 1
        data = snapshot.encode(publisher.ledger, publisher.source, publisher.epoch, seq, tail)
        packed = gevent.get_hub().threadpool.apply(zlib.compress, (data, 1))
        client.set(snapshot_of(publisher.source), packed)
        self._snapshot_at = time.monotonic()
        self._snapshot_cost_s = self._snapshot_at - began
        self._snapshot_seq, self._since_snapshot = seq, 0
        return seq
