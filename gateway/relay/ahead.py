"""Positions that this worker has not reached yet, though another worker has: how long to wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bus.epoch import started_ms
from gateway.relay.mark import LogPosition, MalformedId, places
from gateway.relay.relay import Relay

# A worker that joins or repairs a gap waits up to 10 s for the processor's answer. Some clients
# give up a silent stream after 15 s.
LAGGING_S = 10.0
# An unknown epoch may just have begun, or belong to another server.
UNKNOWN_EPOCH_S = 2.0


def patience_s(relay: Relay, last_id: str | None) -> float:
    """Return how long (s) a reader waits for its position, counted from when the reader came.

    The result is 0 if there is nothing to wait for.
    """
    try:
        stands = joined(relay, places(last_id)) if last_id else ()
    except MalformedId:
        return 0.0
    ahead = [place for place in stands if is_ahead(relay, place)]
    if not ahead:
        return 0.0
    lags = not relay.sources or any(place.epoch in relay.sources for place in ahead)
    return LAGGING_S if lags else UNKNOWN_EPOCH_S


def is_ahead(relay: Relay, place: LogPosition) -> bool:
    """Return whether this worker may still reach a position."""
    marks = relay.head.marks
    if place.epoch not in relay.sources:
        return all(started_ms(mark.epoch) < started_ms(place.epoch) for mark in marks)
    return any(mark.epoch == place.epoch and mark.seq < place.seq for mark in marks)


def joined(relay: Relay, stands: Sequence[LogPosition]) -> Sequence[LogPosition]:
    """Drop positions in unknown sources, if the others name every known source."""
    known = [place for place in stands if place.epoch in relay.sources]
    return known if known and names_all(relay, known) else stands


def names_all(relay: Relay, stands: Iterable[LogPosition]) -> bool:
    """Return whether the positions name every source that this worker knows."""
    named = {relay.sources.get(place.epoch) for place in stands}
    return named.issuperset(mark.source for mark in relay.head.marks)
