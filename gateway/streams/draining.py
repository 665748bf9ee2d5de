"""Ends all streams, spread over a while, since each client comes back at once."""

from __future__ import annotations

import random
import time

import gevent

from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers

_TICK_S = 0.05


def drain(readers: Readers, window_s: float) -> None:
    """End all streams, each at a moment of its own within `window_s`; then open no more.

    At each tick, a stream ends with the probability that it would have if its moment was drawn
    evenly from the rest of the window. So a stream that opens meanwhile needs no special rule.
    """
    draw = random.Random().random
    until = time.monotonic() + window_s
    while len(readers) and (left := until - time.monotonic()) > 0:
        for reader in list(readers):
            if draw() * left < _TICK_S:
                reader.leave(Cause.DRAINED)
        gevent.sleep(_TICK_S)
    readers.close()
