"""Letting go of all readers, spread over a while: they come back as they leave."""

from __future__ import annotations

import random
import time

import gevent

from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers

_TICK_S = 0.05


def drain(readers: Readers, window_s: float) -> None:
    """Let all readers go, each at a moment of its own within `window_s`; then open no more.

    Each tick every reader goes with the chance that it would have if its moment was drawn evenly
    from what is left of the window. So one who comes in meanwhile needs no rule of its own.
    """
    draw = random.Random().random
    until = time.monotonic() + window_s
    while len(readers) and (left := until - time.monotonic()) > 0:
        for reader in list(readers):
            if draw() * left < _TICK_S:
                reader.leave(Cause.DRAINED)
        gevent.sleep(_TICK_S)
    readers.close()
