"""Limits how many requests a second a principal may send to a worker. No I/O."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

_BURST_S = 2.0
_MOST_PRINCIPALS = 4096


class _Bucket(Struct):
    left: float
    at: float


class RequestRate:
    """A token bucket for each principal.

    Args:
        requests_s: requests a second; 0: no limit. Twice as many may come at once.
        clock: returns the time in seconds, monotonic.
    """

    def __init__(self, requests_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = requests_s
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, principal: str) -> int | None:
        """Count a request; return None if it is allowed, else after how many seconds to retry."""
        if not self._rate:
            return None
        now, most = self._clock(), max(1.0, self._rate * _BURST_S)
        bucket = self._buckets.pop(principal, None) or _Bucket(most, now)
        bucket.left = min(most, bucket.left + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets[principal] = bucket
        if len(self._buckets) > _MOST_PRINCIPALS:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return math.ceil((1 - bucket.left) / self._rate)
        bucket.left -= 1
        return None
