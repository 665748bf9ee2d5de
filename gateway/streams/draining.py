"""Ends all streams, spread over some time, since each client reconnects at once."""

from __future__ import annotations

import random
import time

import gevent

from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers

_TICK_S = 0.05


def drain(readers: Readers, window_s: float) -> None:
    """End each stream at a random moment within `window_s`, and open no more streams after that.

    At each tick, a stream ends with the probability that it would have if its moment was drawn
    evenly from the rest of the window. So streams that open meanwhile need no special rule.
    """
    draw = random.Random().random
    until = time.monotonic() + window_s
    while len(readers) and (left := until - time.monotonic()) > 0:
        for reader in list(readers):
            if draw() * left < _TICK_S:
                reader.leave(Cause.DRAINED)
        gevent.sleep(_TICK_S)
    readers.close()
