"""Reads all sources from Redis, and hands their frames to the workers of this machine."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Iterator

import gevent

from bus.backoff import Backoff
from bus.envelope import Envelope
from bus.ledger import snapshot
from bus.ledger.snapshot import MalformedSnapshot, Snapshot
from bus.redis.address import RedisAddress, RedisLogin
from bus.redis.client import BLOCK_S, RedisClient, RedisFailed, connect, words
from bus.redis.keys import FRAME, SOURCES, entry_id, lease_of, log_of, parts_of, snapshot_of
from bus.transport.codec import Batch, Heartbeat, MalformedFrame, decode, encode
from bus.transport.link import FrameSender
from gateway.bridge.mirror import Mirror

log = logging.getLogger("weir.bridge")

_EVERY_S = 1.0
_ENTRIES = 256
_FORGET_S = 60.0
"""How long a source is remembered that Redis no longer lists; a Redis that starts empty lists none
until the processors have written to it again."""

_Entry = tuple[bytes, dict[bytes, bytes]]


class StreamReader:
    """Keeps a mirror of each source, and sends on what Redis has.

    Args:
        address: of Redis.
        login: at Redis.
        outlet: to the workers.

    Attributes:
        mirrors: by the name of the source.
        alive: names of the sources whose processor shows signs of life.
        restarts: by source, how many later epochs were seen.
        failure: why Redis cannot be read now, in words; empty if it can.
    """

    def __init__(self, address: RedisAddress, login: RedisLogin, outlet: FrameSender) -> None:
        self.mirrors: dict[str, Mirror] = {}
        self.alive: set[str] = set()
        self.restarts: dict[str, int] = {}
        self.failure = "no connection yet"
        self._address = address
        self._login = login
        self._outlet = outlet
        self._last: dict[str, bytes] = {}
        self._listed_at: dict[str, float] = {}

    def run(self) -> None:
        """Read for ever, in a greenlet of its own."""
        self._repeat(self._read_on, says=False)

    def watch(self) -> None:
        """Look for sources and their signs of life for ever, in a greenlet of its own."""
        self._repeat(self._look_on, says=True)

    def read(self, client: RedisClient) -> None:
        """Wait for new entries of the known sources for a moment, and take them."""
        names = {log_of(source).encode(): source for source in self._last}
        keys = {log_of(source): last for source, last in self._last.items()}
        for key, entries in client.xread(keys, count=_ENTRIES, block=int(BLOCK_S * 1000)):
            if names[key] in self._last:  # it is forgotten otherwise
                self._take(client, names[key], entries)

    def look(self, client: RedisClient) -> None:
        """Look which sources there are, which of them live, and send their heartbeats."""
        sources = [name.decode() for name in client.zrange(SOURCES, 0, -1)]
        for source in sources:
            if source not in self.mirrors:
                self._join(client, source)
        self._forget(sources)
        known = [source for source in sources if source in self.mirrors]
        leases = client.mget([lease_of(source) for source in known]) if known else []
        self.alive = {
            source
            for source, epoch in zip(known, leases, strict=True)
            if epoch is not None and epoch.decode() == self.mirrors[source].epoch
        }
        for source in self.alive:
            mirror = self.mirrors[source]
            beat = Heartbeat(source, mirror.epoch, mirror.seq, time.time_ns())
            self._outlet.send(encode(beat))

    def _repeat(self, step: Callable[[RedisClient], None], says: bool) -> None:
        backoff = Backoff(first_s=0.1, most_s=2.0)
        while True:
            client = connect(self._address, self._login)
            try:
                while True:
                    step(client)
                    backoff.reset()
            except RedisFailed as error:
                if says:
                    self._report(words(error))
                    self.alive.clear()
                gevent.sleep(backoff.next_s())
            finally:
                client.close()

    def _read_on(self, client: RedisClient) -> None:
        if self._last:
            self.read(client)
        else:
            gevent.sleep(_EVERY_S / 10)

    def _look_on(self, client: RedisClient) -> None:
        self.look(client)
        self._report("")
        gevent.sleep(_EVERY_S)

    def _take(self, client: RedisClient, source: str, entries: list[_Entry]) -> None:
        for name, fields in entries:
            self._last[source] = name
            if FRAME not in fields or not self.mirrors[source].take(_envelopes(fields[FRAME])):
                self._join(client, source)  # a later epoch begins, or entries are missing
                return
            self._outlet.send(fields[FRAME])

    def _forget(self, listed: list[str]) -> None:
        """Drop the mirrors of sources that Redis has not listed for long."""
        now = time.monotonic()
        self._listed_at.update(dict.fromkeys(listed, now))
        for source in list(self.mirrors):
            if now - self._listed_at.get(source, now) > _FORGET_S:
                del self.mirrors[source], self._last[source], self._listed_at[source]

    def _join(self, client: RedisClient, source: str) -> None:
        """Make the mirror of a source anew: from its stored snapshot, and from its stream."""
        stored = _stored(client, source)
        if stored is None:
            return
        last, envelopes = entry_id(stored.epoch, 0).encode(), list[Envelope]()
        for name, fields in _entries(client, source, stored.epoch):
            last = name
            if FRAME in fields:
                envelopes += _envelopes(fields[FRAME])
        before, mirror = self.mirrors.get(source), Mirror(stored, envelopes)
        if before is not None and before.epoch != mirror.epoch:
            self.restarts[source] = self.restarts.get(source, 0) + 1
        self.mirrors[source] = mirror
        self._last[source] = last
        log.info(
            "event source %s: read from Redis up to event %d of epoch %s",
            source,
            mirror.seq,
            mirror.epoch,
        )

    def _report(self, failure: str) -> None:
        if failure and not self.failure:
            log.error("Redis at %s cannot be used: %s", self._address.url, failure)
        elif self.failure and not failure:
            log.info("events are read from Redis at %s", self._address.url)
        self.failure = failure


def _stored(client: RedisClient, source: str) -> Snapshot | None:
    data = client.get(snapshot_of(source))
    if data is None:
        return None
    try:
        return snapshot.decode(zlib.decompress(data))
    except (zlib.error, MalformedSnapshot) as error:
        log.error("event source %s: its stored snapshot cannot be read: %s", source, error)
        return None


def _entries(client: RedisClient, source: str, epoch: str) -> Iterator[_Entry]:
    """Yield all entries of an epoch that Redis still has."""
    first = entry_id(epoch, 0)
    while entries := client.xrange(log_of(source), first, "+", count=_ENTRIES):
        for name, fields in entries:
            ms, seq = parts_of(name)
            if entry_id(epoch, seq).encode() != name:
                return
            yield name, fields
        first = f"{ms}-{seq + 1}"


def _envelopes(data: bytes) -> list[Envelope]:
    try:
        frame = decode(data)
    except MalformedFrame as error:
        log.error("a malformed entry of a stream was ignored: %s", error)
        return []
    return frame.envelopes if isinstance(frame, Batch) else []
