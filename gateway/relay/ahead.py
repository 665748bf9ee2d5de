"""Places that another worker has reached and this one has not: how long to wait for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bus.epoch import started_ms
from gateway.relay.mark import LogPosition, MalformedId, places
from gateway.relay.relay import Relay

# A worker that joins, or fills a gap, waits up to 10 s for the processor's answer; some clients
# give up a silent stream after 15 s.
LAGGING_S = 10.0
# An epoch that is unknown to a joined worker may just have begun, or belong to another server.
UNKNOWN_EPOCH_S = 2.0


def patience_s(relay: Relay, last_id: str | None) -> float:
    """Return for how long (s) to wait for a reader's place, counted from when it came.

    It is 0 once there is nothing to wait for.
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
    """Return whether this worker may still reach a place."""
    marks = relay.head.marks
    if place.epoch not in relay.sources:
        return all(started_ms(mark.epoch) < started_ms(place.epoch) for mark in marks)
    return any(mark.epoch == place.epoch and mark.seq < place.seq for mark in marks)


def joined(relay: Relay, stands: Sequence[LogPosition]) -> Sequence[LogPosition]:
    """Leave out places in unknown sources, if the remaining places name every known source."""
    known = [place for place in stands if place.epoch in relay.sources]
    return known if known and names_all(relay, known) else stands


def names_all(relay: Relay, stands: Iterable[LogPosition]) -> bool:
    """Tell whether places leave out no source that is known here."""
    named = {relay.sources.get(place.epoch) for place in stands}
    return named.issuperset(mark.source for mark in relay.head.marks)
