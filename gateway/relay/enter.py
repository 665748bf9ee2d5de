"""Where a reader's stream begins or continues, and what the reader is sent first.

A worker keeps the latest events of all *sources* (processors) in one *log*, and for each source a
*ledger*: the present value of each session, message and part. An *upsert* is an event that brings
such a value. A *view* says which events a reader gets; a *run* is some consecutive events of a
source, which are coalesced to fewer events and sent together.

Rules:

1. An event id names a position in each source's order, not in this worker's log. If the log
   contains all later events, the reader continues exactly there, whichever worker served it
   before.
2. If the stream was cut inside a run, the run is coalesced again, which gives the same list. The
   delivered events are skipped, and the rest of the run is sent first. If the reader now has
   another view, the count in its id is useless: the reader gets what has changed (3).
3. If the log does not reach back so far, the reader gets upserts of all entities that have changed
   since. Only the last upsert has the id of the position after all upserts. After a cut before the
   last upsert, all upserts are sent again, which does no harm. If an upsert brought an entity, and
   the entity was removed before the reader came back, the removal is sent too.
4. A reader with a malformed id, or an id with an unknown epoch (one start of a processor), gets
   upserts of all entities in the ledgers.
5. A reader without an id gets the sessions that are active now. On `/global/event` it also gets
   the sessions that were active lately: some clients open this stream again after a cut without an
   id, and fetch nothing. A reader of `/event` gets nothing about idle sessions: some clients take
   a session's idle status for the end of the turn that they are about to start. A reader that asks
   to begin *now* gets nothing from before it connected, on either endpoint.
6. A position that this worker has not reached yet is *ahead*: the reader waits for it (`ahead`).
   If the worker does not reach the position in time, the reader gets upserts of all entities, and
   an older position: upserts replace what the reader has, so no later delta is appended twice. But
   if the id also names all sources known here, the position is in a source that has not joined
   this worker yet, and the reader does not wait. It continues in the known sources, and from its
   position in the other source once that source joins. While no source is known, the reader has no
   position; its id is looked at again when a source joins.
7. If a source joins while a stream is open, and the reader's id names a position in this source,
   the stream gets the events after that position. If the id names no position in the source, the
   stream gets upserts of all entities in the source's ledger. A reader without an id gets the
   active sessions, and the entities that have changed since the reader connected.
8. A gap in a source (events that no log contains any more) matters only to readers that this
   source can reach: not to a reader of a directory that the source never published about, nor to a
   reader of other sources' sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from bus.envelope import Envelope
from bus.ledger import Ledger, Upsert
from bus.log import FellOff
from gateway.relay.ahead import is_ahead, known_positions, names_all
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
    parse_id,
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
    """Return where a reader that connects begins, and what it is sent first.

    Args:
        relay: the log and the ledgers.
        last_id: ``Last-Event-ID``, None or empty if the reader sent none.
        view: which events the reader gets.
        now_ns: the time, ns since the Unix epoch.
        from_now: without a `last_id`, send nothing from before the reader connected.
    """
    if not last_id and from_now:
        return Entrance(ResumeVerdict.FRESH, relay.head, event_id(relay.head.marks, view))
    if not last_id:
        live_only = view.endpoint is Endpoint.INSTANCE
        since_ns = now_ns - LATELY_S * _NS
        found = (ledger.recent(since_ns, live_only) for ledger in relay.ledgers.values())
        return _with_upserts(relay, ResumeVerdict.FRESH, found, view, None)
    try:
        positions = parse_id(last_id)
        if scope_in(last_id) != view.scope_tag:
            return _after_another_scope(relay, view)
        return enter_at(relay, positions, view, last_id)
    except MalformedId:
        return _everything(relay, ResumeVerdict.MALFORMED, view)


def _after_another_scope(relay: Relay, view: View) -> Entrance:
    """Return what to send to a reader whose access rights have changed since it got its id.

    The id does not say which of the events that the reader may see now were delivered. So the
    reader gets the present value of every entity, and every known removal.
    """
    found = map(_all_of, relay.ledgers.values())
    return _with_upserts(relay, ResumeVerdict.CAUGHT_UP, found, view, {})


def enter_at(
    relay: Relay, positions: Sequence[LogPosition], view: View, last_id: str | None = None
) -> Entrance:
    """Return where a reader at the given positions continues, and what it is sent first.

    Args:
        relay: the log and the ledgers.
        positions: the reader's position in each source that its id names.
        view: which events the reader gets.
        last_id: the event id that contained these positions, if there is such an id.

    Raises:
        MalformedId: a position says that more events of a run were delivered than the run has.
    """
    positions = known_positions(relay, positions)
    if any(is_ahead(relay, place) for place in positions):
        if not relay.head.marks:
            return Entrance(ResumeVerdict.AHEAD, Cursor(NOWHERE))
        return _everything(relay, ResumeVerdict.AHEAD, view)
    try:
        return _exactly(relay, positions, view, last_id)
    except FellOff:
        return _caught_up(relay, positions, view)


def go_on(
    relay: Relay,
    marks: Marks,
    last_id: str | None,
    view: View,
    came_ns: int,
    from_now: bool = False,
) -> Entrance:
    """Return where a connected reader continues whose position the log no longer contains.

    The log drops old events, and begins anew whenever a source joins. If no source was known when
    the reader connected, `marks` is empty, and the reader's position is in `last_id`.

    Args:
        relay: the log and the ledgers.
        marks: the reader's position in each source.
        last_id: the ``Last-Event-ID`` of the reader's request; None or empty if it had none.
        view: which events the reader gets.
        came_ns: when the reader connected, ns since the Unix epoch.
        from_now: the reader asked for no events from before it connected.
    """
    if last_id and not marks:
        return enter(relay, last_id, view, came_ns)
    try:
        is_own = not last_id or scope_in(last_id) == view.scope_tag
        since = _since_joined(relay, marks, last_id if is_own else None)
        positions = (*map(LogPosition.of, marks), *since)
        if names_all(relay, positions):
            return enter_at(relay, positions, view)
    except MalformedId:
        return _everything(relay, ResumeVerdict.MALFORMED, view)
    if last_id:
        return _caught_up(relay, positions, view, _all_of)
    if from_now:
        return _caught_up(relay, positions, view, lambda ledger: _changed_since(ledger, came_ns))
    since_ns = came_ns - (LATELY_S * _NS if view.endpoint is Endpoint.GLOBAL else 0)
    return _caught_up(relay, positions, view, lambda ledger: ledger.recent(since_ns, False))


def change_view(relay: Relay, view: View, since_ns: int, from_now: bool) -> Entrance:
    """Return what a connected reader is sent when its view changes, as to another folder.

    Args:
        relay: the log and the ledgers.
        view: the new view.
        since_ns: from this time on the reader may lack events of the new view, ns since the Unix
            epoch.
        from_now: the reader asked for no events from before it connected.
    """
    ledgers = relay.ledgers.values()
    if from_now:
        found: list[Iterable[Upsert]] = [_changed_since(ledger, since_ns) for ledger in ledgers]
    else:
        found = [ledger.recent(since_ns, False) for ledger in ledgers]
    return _with_upserts(relay, ResumeVerdict.CAUGHT_UP, found, view, None)


def _since_joined(relay: Relay, marks: Marks, last_id: str | None) -> Iterator[LogPosition]:
    """Yield the positions in `last_id` in processors that joined after the reader connected.

    Raises:
        MalformedId: `last_id` is not an event id.
    """
    passed = {mark.source for mark in marks}
    for place in parse_id(last_id) if last_id else ():
        source = relay.sources.get(place.epoch)
        if source is not None and source not in passed:
            yield place


def _exactly(
    relay: Relay, positions: Sequence[LogPosition], view: View, last_id: str | None
) -> Entrance:
    """Return where a reader continues if the log contains all events after its positions.

    Raises:
        FellOff: the log lacks a later event, or the positions name not every source, or do not
            say exactly which events were delivered.
    """
    marks: Marks = ()
    for place in positions:
        if place.unsure or (place.k and place.view != view.tag):
            raise FellOff("it is not known which events of a run were delivered")
        marks = advance(marks, _mark(relay, place))
    if {mark.source for mark in marks} != {mark.source for mark in relay.head.marks}:
        raise FellOff("the id names not every source of this worker")
    starts = tuple((mark.source, _position(relay, mark)) for mark in marks)
    rest: list[list[bytes]] = []
    for place in positions:
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
    """Return the frames after the cut of a run (events that were being sent together)."""
    run = _run(relay, _mark(relay, place), place.start)
    events = coalesce([e for e in run if view.admits(e)], view.keep_superseded)
    if place.k > len(events):
        raise MalformedId(f"run {place.start}-{place.seq} has no event number {place.k}")
    ids = ids_in_run(run, marks, len(events), view)
    named = list(zip(events, ids, strict=True))[place.k :]
    return [frame(envelope, view.endpoint, place_id) for envelope, place_id in named]


def _run(relay: Relay, mark: Mark, start: int) -> list[Envelope]:
    """Return the events of a source after seq `start`, up to and including `mark`."""
    position = _position(relay, Mark(mark.source, mark.epoch, start))
    found: list[Envelope] = []
    while position < relay.log.head and (not found or found[-1].seq < mark.seq):
        run = relay.log.run(position)
        found += [e for e in run.envelopes if e.epoch == mark.epoch and start < e.seq <= mark.seq]
        position = run.end
    return found


def _caught_up(
    relay: Relay, positions: Sequence[LogPosition], view: View, of_joined: _OfLedger | None = None
) -> Entrance:
    """Return upserts (present values) of the entities that changed after a reader's positions.

    Args:
        relay: has the log (recent events) and, for each source (processor), a ledger (the present
            value of every entity).
        positions: the reader's positions.
        view: which events the reader gets.
        of_joined: returns what to send of the ledger of a source in which the reader has no
            position, since the source joined after the reader connected. None: all is sent, since
            the source may have been there before.
    """
    by_source = {relay.sources.get(place.epoch): place for place in positions}
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
        # A reader whose stream was cut during its first upserts may lack some entities that the
        # ledger has from an earlier epoch; -1 selects these entities, too.
        after = -1 if place.unsure and place.start == 0 else place.start
        found.append(ledger.changed(after, place.seq))
        starts[source] = place.start
    return _with_upserts(relay, verdict, found, view, starts)


def _concerns(relay: Relay, source: str, view: View) -> bool:
    """Return whether a source may have published an event that `view` admits (rule 8)."""
    folder = view.folder_at(source)
    if view.endpoint is Endpoint.INSTANCE and not relay.ledgers[source].spoke_of(folder):
        return False
    others = [ledger for name, ledger in relay.ledgers.items() if name != source]
    elsewhere = (any(session in other.sessions for other in others) for session in view.sessions)
    return not view.sessions or not all(elsewhere)


def _all_of(ledger: Ledger) -> Iterable[Upsert]:
    """Return all present values, and all removals: the reader may show removed entities."""
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
    """Return an entrance at the newest position, with upserts (present values) for `view`.

    Args:
        relay: the log and the ledgers.
        verdict: how the reader's last id was understood.
        found: the upserts of each ledger, which are filtered by `view`.
        view: which events the reader gets.
        starts: by source, the seq up to which the reader has all events. It goes into the ids of
            all upserts but the last, in case the stream is cut. None: these upserts get no id.
    """
    cursor = relay.head
    upserts = tuple(one for one in chain.from_iterable(found) if view.admits(one.snapshot))
    if not upserts:
        return Entrance(verdict, cursor, event_id(cursor.marks, view))
    unsure = "" if starts is None else unsure_id(starts, cursor.marks, view)
    sure = event_id(cursor.marks, view)
    return Entrance(verdict, cursor, upserts=upserts, unsure_id=unsure, sure_id=sure)
