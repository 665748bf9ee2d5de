"""Ends all event streams of a worker that stops, spread over some time.

Each client reconnects at once, so ending all streams together would cause a rush of connections.
"""

from __future__ import annotations

import random
import time

import gevent

from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers

_TICK_S = 0.05


def drain(readers: Readers, window_s: float) -> None:
    """End each stream at a random moment within `window_s` seconds; then open no more streams.

    Every 50 ms, each stream ends with the probability 50 ms / remaining time. So the ends are
    spread evenly, also those of streams that are opened meanwhile.
    """
    draw = random.Random().random
    until = time.monotonic() + window_s
    while len(readers) and (left := until - time.monotonic()) > 0:
        for reader in list(readers):
            if draw() * left < _TICK_S:
                reader.leave(Cause.DRAINED)
        gevent.sleep(_TICK_S)
    readers.close()
