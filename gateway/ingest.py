"""From the bus into the log."""

from __future__ import annotations

import time

from bus import clone
from bus.requester import Requester
from bus.slices import Slice
from bus.subscriber import Subscriber
from gateway.readers import Readers

_SLICE_S = 0.003


def run(subscriber: Subscriber, readers: Readers) -> None:
    """Move what the bus brings into the log for ever; a greenlet of its own.

    In a storm there is always a next frame. So the loop is let go at every cut of the log, and
    each reader whose socket takes it gets as far as that before more comes in: one that can keep
    up is never outrun, however many there are. Meanwhile the bus holds what waits.
    """
    relay = readers.relay
    cuts, hold = 0, Slice(_SLICE_S)
    subscriber.join()
    while True:
        envelopes = subscriber.receive()
        if envelopes:
            relay.append(envelopes)
            readers.received += len(envelopes)
        else:  # a heartbeat, of which there is one a second
            relay.let_go(time.monotonic())
        if relay.log.cuts != cuts or hold.is_over:
            cuts = relay.log.cuts
            readers.lanes.log_has_grown()
            hold.let_turn()


def join(readers: Readers, requester: Requester) -> tuple[str, str, int]:
    """Go on from what a processor knows; returns source, epoch and seq.

    Raises:
        CannotRepair: it does not tell.
    """
    cloned = clone.fetch(requester)
    readers.relay.load(cloned)
    readers.lanes.log_has_grown()
    return cloned.snapshot.source, cloned.snapshot.epoch, cloned.snapshot.seq
