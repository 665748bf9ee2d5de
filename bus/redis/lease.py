"""The lease of a source: only the processor that holds it may write to the source's stream."""

from __future__ import annotations

import redis

from bus.process.entry import CannotStart
from bus.redis.client import RedisClient
from bus.redis.keys import lease_of

LEASE_S = 5.0
"""How long a lease lasts. A processor that shows no sign of life for so long may be replaced."""


class SourceTaken(CannotStart):
    """Another processor writes to this source now, so this one must stop."""


class Lease:
    """The lease of one source, for one epoch.

    Args:
        source: the name of the source.
        epoch: the epoch that wants to write.
    """

    def __init__(self, source: str, epoch: str) -> None:
        self._source = source
        self._epoch = epoch

    def take(self, client: RedisClient) -> bool:
        """Take the lease, or extend it; return False while an older epoch holds it.

        Raises:
            SourceTaken: a later epoch holds it.
        """
        key, ours, ms = lease_of(self._source), self._epoch.encode(), int(LEASE_S * 1000)
        with client.pipeline() as pipe:
            try:
                pipe.watch(key)
                holder = pipe.get(key)
                if holder not in (None, ours):
                    return self._refused(holder)
                pipe.multi()
                pipe.set(key, ours, px=ms)
                pipe.execute()
            except redis.WatchError:
                return False
        return True

    def release(self, client: RedisClient) -> None:
        """Give the lease back, so that the next processor need not wait for its end."""
        key = lease_of(self._source)
        with client.pipeline() as pipe:
            try:
                pipe.watch(key)
                if pipe.get(key) == self._epoch.encode():
                    pipe.multi()
                    pipe.delete(key)
                    pipe.execute()
            except redis.WatchError:
                return

    def _refused(self, holder: bytes) -> bool:
        if holder.decode() > self._epoch:
            raise SourceTaken(
                f"source {self._source}: another processor has taken over since (epoch "
                f"{holder.decode()})"
            )
        return False
