"""How long a reader waits for events that its last event id says it has, but this worker has not.

Another worker of this gateway, which is ahead of this worker, gave the reader the id. Here, a
*source* is a processor, and an *epoch* is one start of a processor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bus.epoch import started_ms
from gateway.relay.mark import LogPosition, MalformedId, parse_id
from gateway.relay.relay import Relay

# How long to wait for a position in an epoch (one start of a processor) that this worker knows.
# The worker may be repairing a gap, and waits up to 10 s for the processor's answer. Some clients
# give up a stream that is silent for 15 s.
LAGGING_S = 10.0
# How long to wait for a position in an epoch (one start of a processor) that this worker does not
# know. Either the processor has just started, or the id is from another server.
UNKNOWN_EPOCH_S = 2.0


def patience_s(relay: Relay, last_id: str | None) -> float:
    """Return how long (s) a reader waits until this worker reaches the position in `last_id`.

    The time counts from the reader's connection. 0: the worker has reached the position already,
    or never will.
    """
    try:
        positions = known_positions(relay, parse_id(last_id)) if last_id else ()
    except MalformedId:
        return 0.0
    ahead = [place for place in positions if is_ahead(relay, place)]
    if not ahead:
        return 0.0
    lags = not relay.sources or any(place.epoch in relay.sources for place in ahead)
    return LAGGING_S if lags else UNKNOWN_EPOCH_S


def is_ahead(relay: Relay, place: LogPosition) -> bool:
    """Return whether a position lies after the newest event here, and this worker may reach it.

    An epoch that is unknown here may still come if it began after all epochs known here.
    """
    marks = relay.head.marks
    if place.epoch not in relay.sources:
        return all(started_ms(mark.epoch) < started_ms(place.epoch) for mark in marks)
    return any(mark.epoch == place.epoch and mark.seq < place.seq for mark in marks)


def known_positions(relay: Relay, positions: Sequence[LogPosition]) -> Sequence[LogPosition]:
    """Return only the positions in known epochs, if these name every known source; otherwise all.

    A source is a processor, and an epoch is one start of a processor. The reader does not wait for
    the sources of the positions that are left out: these have not joined this worker yet.
    """
    known = [place for place in positions if place.epoch in relay.sources]
    return known if known and names_all(relay, known) else positions


def names_all(relay: Relay, positions: Iterable[LogPosition]) -> bool:
    """Return whether there is a position for every source (processor) that this worker knows."""
    named = {relay.sources.get(place.epoch) for place in positions}
    return named.issuperset(mark.source for mark in relay.head.marks)
