"""From the bus into the log."""

from __future__ import annotations

import time

import gevent

from bus.subscriber import Subscriber
from gateway.readers import Readers

_SLICE_S = 0.003


def run(subscriber: Subscriber, readers: Readers) -> None:
    """Move what the bus brings into the log for ever; a greenlet of its own.

    In a storm there is always a next frame, so the loop is let go after every slice.
    """
    until = time.monotonic() + _SLICE_S
    while True:
        envelopes = subscriber.receive()
        if envelopes:
            readers.relay.append(envelopes)
            readers.log_has_grown()
        if time.monotonic() >= until:
            gevent.sleep(0)
            until = time.monotonic() + _SLICE_S
