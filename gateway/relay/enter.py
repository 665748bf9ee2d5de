"""Where a reader's stream begins or continues, and what the reader is sent first.

Rules:

1. An id names a position in each source's order, not in this worker's log. If the log contains all
   later events, the reader continues exactly there, whichever worker served it before.
2. If the stream was cut inside a run, the run is coalesced again, which gives the same list. The
   delivered events are skipped, and the rest of the run is sent first. If the reader now has
   another view, the count in its id is useless: the reader gets what has changed (3).
3. If the log does not reach back so far, the reader gets upserts from the ledgers: what has
   changed since. Only the last upsert has the id of the position after all upserts. After a cut
   before the last upsert, all are sent again, which does no harm. The removal of an entity is sent
   too, if an upsert brought the entity and it was removed meanwhile.
4. A reader whose id is unknown or malformed gets all that the ledgers contain.
5. A reader without an id gets the sessions that are active now. On `/global/event` it also gets
   the sessions that were active lately: some clients open this stream again after a cut without an
   id, and fetch nothing. A reader of `/event` gets nothing about sessions at rest: some clients
   take a session's idle status for the end of the turn that they are about to start. A reader that
   asks to begin *now* gets nothing from before it came, on either endpoint.
6. A position that this worker has not reached yet is *ahead*: the reader waits for it (`ahead`).
   If the worker does not reach it in time, the reader gets all that the ledgers contain, at an
   older position: upserts replace what the reader has, so no later delta is appended twice. But if
   the id also names all sources known here, the position is in a source that has not joined yet,
   and the reader does not wait. It continues in the known sources, and from its position in the
   other source once that source joins. While no source is known, the reader has no position, and
   starts again by its id later.
7. If a source joins while a stream is open, the stream gets the events after the reader's position
   in this source, if the reader's id names one. If the id names none, the stream gets all that the
   source's ledger contains. A reader without an id gets active sessions, and what has changed
   since the reader came.
8. A gap in a source matters only to readers that this source can reach: not to a reader of a
   directory that the source never published about, nor to a reader of other sources' sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from bus.envelope import Envelope
from bus.ledger import Ledger, Upsert
from bus.log import FellOff
from gateway.relay.ahead import is_ahead, joined, names_all
from gateway.relay.coalesce import coalesce
from gateway.relay.entrance import Entrance, ResumeVerdict
from gateway.relay.frames import frame
from gateway.relay.mark import (
    LogPosition,
    MalformedId,
    Mark,
    Marks,
    advance,
    event_id,
    ids_in_run,
    places,
    scope_in,
    unsure_id,
)
from gateway.relay.relay import NOWHERE, Cursor, Relay
from gateway.relay.view import Endpoint, View

LATELY_S = 60
_NS = 1_000_000_000

_OfLedger = Callable[[Ledger], Iterable[Upsert]]


def enter(
    relay: Relay, last_id: str | None, view: View, now_ns: int, from_now: bool = False
) -> Entrance:
    """Return the entrance of a reader whose last event had the id `last_id`.

    Args:
        relay: the relay to read.
        last_id: ``Last-Event-ID``, None or empty if the reader sent none.
        view: the reader's view.
        now_ns: the time, ns since the Unix epoch.
        from_now: without a `last_id`, begin with what happens next.
    """
    if not last_id and from_now:
        return Entrance(ResumeVerdict.FRESH, relay.head, event_id(relay.head.marks, view))
    if not last_id:
        live_only = view.endpoint is Endpoint.INSTANCE
        since_ns = now_ns - LATELY_S * _NS
        found = (ledger.recent(since_ns, live_only) for ledger in relay.ledgers.values())
        return _with_upserts(relay, ResumeVerdict.FRESH, found, view, None)
    try:
        stands = places(last_id)
        if scope_in(last_id) != view.scope_tag:
            return _after_another_scope(relay, view)
        return enter_at(relay, stands, view, last_id)
    except MalformedId:
        return _everything(relay, ResumeVerdict.MALFORMED, view)


def _after_another_scope(relay: Relay, view: View) -> Entrance:
    """Return the entrance of a reader that may lack anything, or know what is gone."""
    found = map(_all_of, relay.ledgers.values())
    return _with_upserts(relay, ResumeVerdict.CAUGHT_UP, found, view, {})


def enter_at(
    relay: Relay, stands: Sequence[LogPosition], view: View, last_id: str | None = None
) -> Entrance:
    """Return the entrance of a reader at given positions.

    Args:
        relay: the relay to read.
        stands: the reader's position in each source that the reader knows.
        view: the reader's view.
        last_id: the event id that contained these positions, if there is one.

    Raises:
        MalformedId: a position is impossible.
    """
    stands = joined(relay, stands)
    if any(is_ahead(relay, place) for place in stands):
        if not relay.head.marks:
            return Entrance(ResumeVerdict.AHEAD, Cursor(NOWHERE))
        return _everything(relay, ResumeVerdict.AHEAD, view)
    try:
        return _exactly(relay, stands, view, last_id)
    except FellOff:
        return _caught_up(relay, stands, view)


def go_on(
    relay: Relay,
    marks: Marks,
    last_id: str | None,
    view: View,
    came_ns: int,
    from_now: bool = False,
) -> Entrance:
    """Return the entrance of a reader that has fallen off the log.

    If no source was known when the reader came, only its last id has a position.

    Args:
        relay: the relay to read.
        marks: the reader's position in each source.
        last_id: the id that the reader came with; None or empty if it had none.
        view: the reader's view.
        came_ns: when the reader came, ns since the Unix epoch.
        from_now: the reader asked for no events from before it came.
    """
    if last_id and not marks:
        return enter(relay, last_id, view, came_ns)
    try:
        is_own = not last_id or scope_in(last_id) == view.scope_tag
        since = _since_joined(relay, marks, last_id if is_own else None)
        stands = (*map(LogPosition.of, marks), *since)
        if names_all(relay, stands):
            return enter_at(relay, stands, view)
    except MalformedId:
        return _everything(relay, ResumeVerdict.MALFORMED, view)
    if last_id:
        return _caught_up(relay, stands, view, _all_of)
    if from_now:
        return _caught_up(relay, stands, view, lambda ledger: _changed_since(ledger, came_ns))
    since_ns = came_ns - (LATELY_S * _NS if view.endpoint is Endpoint.GLOBAL else 0)
    return _caught_up(relay, stands, view, lambda ledger: ledger.recent(since_ns, False))


def look_elsewhere(relay: Relay, view: View, since_ns: int, from_now: bool) -> Entrance:
    """Return the entrance of a reader whose view changes: what has changed in the new view.

    Args:
        relay: the relay to read.
        view: the new view.
        since_ns: from this time on the reader may lack events of the new view, ns since the Unix
            epoch.
        from_now: the reader asked for no events from before it came.
    """
    ledgers = relay.ledgers.values()
    if from_now:
        found: list[Iterable[Upsert]] = [_changed_since(ledger, since_ns) for ledger in ledgers]
    else:
        found = [ledger.recent(since_ns, False) for ledger in ledgers]
    return _with_upserts(relay, ResumeVerdict.CAUGHT_UP, found, view, None)


def _since_joined(relay: Relay, marks: Marks, last_id: str | None) -> Iterator[LogPosition]:
    """Yield the positions in a reader's id that are in sources which have joined since it came.

    Raises:
        MalformedId: `last_id` is not an event id.
    """
    passed = {mark.source for mark in marks}
    for place in places(last_id) if last_id else ():
        source = relay.sources.get(place.epoch)
        if source is not None and source not in passed:
            yield place


def _exactly(
    relay: Relay, stands: Sequence[LogPosition], view: View, last_id: str | None
) -> Entrance:
    """Return the entrance of a reader whose positions are all in the log.

    Raises:
        FellOff: the log lacks a position, or a source is left out, or a position is unsure.
    """
    marks: Marks = ()
    for place in stands:
        if place.unsure or (place.k and place.view != view.tag):
            raise FellOff("it is not known which events of a run were delivered")
        marks = advance(marks, _mark(relay, place))
    if {mark.source for mark in marks} != {mark.source for mark in relay.head.marks}:
        raise FellOff("a source is left out")
    starts = tuple((mark.source, _position(relay, mark)) for mark in marks)
    rest: list[list[bytes]] = []
    for place in stands:
        if place.start < place.seq:
            rest += _rest(relay, place, marks, view)
    cursor = Cursor(min(start for _, start in starts), marks, starts)
    return Entrance(ResumeVerdict.EXACT, cursor, last_id or event_id(marks, view), tuple(rest))


def _mark(relay: Relay, place: LogPosition) -> Mark:
    source = relay.sources.get(place.epoch)
    if source is None:
        raise FellOff(f"epoch {place.epoch} is not known")
    return Mark(source, place.epoch, place.seq)


def _position(relay: Relay, mark: Mark) -> int:
    if mark in relay.head.marks:
        return relay.log.head
    position = relay.log.find(mark.source, mark.epoch, mark.seq)
    if position is None:
        raise FellOff(f"the log does not hold what follows {mark}")
    return position


def _rest(relay: Relay, place: LogPosition, marks: Marks, view: View) -> list[list[bytes]]:
    """Return the frames of a run that were not delivered before the cut."""
    run = _run(relay, _mark(relay, place), place.start)
    events = coalesce([e for e in run if view.admits(e)], view.keep_superseded)
    if place.k > len(events):
        raise MalformedId(f"run {place.start}-{place.seq} has no event number {place.k}")
    ids = ids_in_run(run, marks, len(events), view)
    named = list(zip(events, ids, strict=True))[place.k :]
    return [frame(envelope, view.endpoint, place_id) for envelope, place_id in named]


def _run(relay: Relay, mark: Mark, start: int) -> list[Envelope]:
    """Return the events of a source after seq `start`, up to `mark`."""
    position = _position(relay, Mark(mark.source, mark.epoch, start))
    found: list[Envelope] = []
    while position < relay.log.head and (not found or found[-1].seq < mark.seq):
        run = relay.log.run(position)
        found += [e for e in run.envelopes if e.epoch == mark.epoch and start < e.seq <= mark.seq]
        position = run.end
    return found


def _caught_up(
    relay: Relay, stands: Sequence[LogPosition], view: View, of_joined: _OfLedger | None = None
) -> Entrance:
    """Return the entrance of a reader that gets what has changed since its positions.

    Args:
        relay: the relay to read.
        stands: the reader's positions.
        view: the reader's view.
        of_joined: yields the upserts of a source in which the reader has no position because the
            source joined later; None if this is not known to be the reason.
    """
    by_source = {relay.sources.get(place.epoch): place for place in stands}
    verdict, found, starts = ResumeVerdict.CAUGHT_UP, [], {}
    for source, ledger in relay.ledgers.items():
        place = by_source.get(source)
        if place is None and of_joined is not None:
            found.append(of_joined(ledger))
            continue
        concerned = _concerns(relay, source, view)
        if place is None or place.epoch != ledger.epoch:
            verdict = ResumeVerdict.FOREIGN if concerned else verdict
            found.append(_all_of(ledger) if place is None else ledger.changed(-1))
            continue
        if place.start < ledger.floor and concerned and verdict is ResumeVerdict.CAUGHT_UP:
            verdict = ResumeVerdict.TOO_OLD
        # A reader that was cut during its first upserts may lack some upserts of an earlier epoch.
        after = -1 if place.unsure and place.start == 0 else place.start
        found.append(ledger.changed(after, place.seq))
        starts[source] = place.start
    return _with_upserts(relay, verdict, found, view, starts)


def _concerns(relay: Relay, source: str, view: View) -> bool:
    """Return whether a source may have published anything for a reader (rule 8)."""
    folder = view.folder_at(source)
    if view.endpoint is Endpoint.INSTANCE and not relay.ledgers[source].spoke_of(folder):
        return False
    others = [ledger for name, ledger in relay.ledgers.items() if name != source]
    elsewhere = (any(session in other.sessions for other in others) for session in view.sessions)
    return not view.sessions or not all(elsewhere)


def _all_of(ledger: Ledger) -> Iterable[Upsert]:
    """Return all that a ledger contains, with removals: the reader may show removed entities."""
    return ledger.changed(-1, ledger.seq)


def _changed_since(ledger: Ledger, since_ns: int) -> Iterator[Upsert]:
    return (one for one in ledger.recent(since_ns, False) if one.snapshot.time_ns >= since_ns)


def _everything(relay: Relay, verdict: ResumeVerdict, view: View) -> Entrance:
    found = (ledger.changed(-1) for ledger in relay.ledgers.values())
    return _with_upserts(relay, verdict, found, view, {})


def _with_upserts(
    relay: Relay,
    verdict: ResumeVerdict,
    found: Iterable[Iterable[Upsert]],
    view: View,
    starts: Mapping[str, int] | None,
) -> Entrance:
    """Return an entrance with upserts; without `starts`, only the last upsert has an id."""
    cursor = relay.head
    upserts = tuple(one for one in chain.from_iterable(found) if view.admits(one.snapshot))
    if not upserts:
        return Entrance(verdict, cursor, event_id(cursor.marks, view))
    unsure = "" if starts is None else unsure_id(starts, cursor.marks, view)
    sure = event_id(cursor.marks, view)
    return Entrance(verdict, cursor, upserts=upserts, unsure_id=unsure, sure_id=sure)
