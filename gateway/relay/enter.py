"""How a reader comes in: where it goes on, and what it is told first.

Rules:

1. An id names a place in each source's order, not in this worker's log. If the log holds all that
   followed, the reader goes on exactly there, whoever served it before.
2. Where the cut fell into a run, the run is coalesced again, which gives the same list, and the
   events that were delivered are skipped. What is left of it is told first. To a reader that
   has another view now, the count of them means nothing: it is told what has changed (3).
3. If the log does not reach back so far, the ledgers say what has changed since: upserts. Only
   the last carries the id of where that leads; a cut before it repeats all of them, which does no
   harm, and tells the end of what an upsert may have told of meanwhile.
4. An id of which nothing is known, or that is none, gets all that the ledgers hold.
5. A reader without an id gets what goes on now. On `/global/event` also what went on lately:
   there are clients that open it again after a cut, without an id, and fetch nothing. A reader of
   `/event` is told nothing of sessions at rest: there are clients that take the news that one is
   idle for the end of the turn that they are about to ask for. A reader that asks to begin
   *now* is told of nothing that was before it came, on either endpoint.
6. A place that this worker has not heard of yet is *ahead*: it is worth waiting for (`ahead`). One
   that is not reached for too long is told all that is here, at an older place: upserts stand for
   what the reader has, so that nothing of what follows is appended to it twice. But if all
   sources known here are named beside it, it is of one that has not joined here yet: nobody waits
   for that. The reader goes on in the others, and from its place in that one once it has joined.
   Where nothing is known, the reader stands nowhere, and comes in again by its id later.
7. A source that joins while a stream is open is told of in it: what follows the reader's place
   there, if it came with one; all that the ledger holds, if it came with an id that has none; else
   what goes on, and what has changed since it came.
8. What is not known any more of a source is nothing to a reader whom that source does not concern:
   who follows a directory that the source never spoke of, or sessions of other sources.
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
    """Return how a reader comes in that says `last_id` was the last it has seen.

    Args:
        relay: where it comes in.
        last_id: ``Last-Event-ID``, None or empty if it has none.
        view: what it gets.
        now_ns: the time, ns since the Unix epoch.
        from_now: without a `last_id`, begin with what happens next.
    """
    if not last_id and from_now:
        return Entrance(ResumeVerdict.FRESH, relay.head, event_id(relay.head.marks))
    if not last_id:
        live_only = view.endpoint is Endpoint.INSTANCE
        since_ns = now_ns - LATELY_S * _NS
        found = (ledger.recent(since_ns, live_only) for ledger in relay.ledgers.values())
        return _told(relay, ResumeVerdict.FRESH, found, view, None)
    try:
        return enter_at(relay, places(last_id), view, last_id)
    except MalformedId:
        return _everything(relay, ResumeVerdict.MALFORMED, view)


def enter_at(
    relay: Relay, stands: Sequence[LogPosition], view: View, last_id: str | None = None
) -> Entrance:
    """Return how a reader comes in that stands at these places.

    Args:
        relay: where it comes in.
        stands: one place for each source that it knows.
        view: what it gets.
        last_id: the same, as it says it.

    Raises:
        MalformedId: a place cannot be.
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
    """Return how a reader goes on that has fallen off the log.

    One that came in while nothing was known stands nowhere but where its last id says.

    Args:
        relay: where it reads.
        marks: what it has passed.
        last_id: with which it came in; None or empty if it had none.
        view: what it gets.
        came_ns: when that was, ns since the Unix epoch.
        from_now: it asked for nothing from before that.
    """
    if last_id and not marks:
        return enter(relay, last_id, view, came_ns)
    try:
        stands = (*map(LogPosition.of, marks), *_since_joined(relay, marks, last_id))
        if names_all(relay, stands):
            return enter_at(relay, stands, view)
    except MalformedId:
        return _everything(relay, ResumeVerdict.MALFORMED, view)
    if last_id:
        return _caught_up(relay, stands, view, _all_of)
    if from_now:
        return _caught_up(relay, stands, view, lambda ledger: _told_since(ledger, came_ns))
    since_ns = came_ns - (LATELY_S * _NS if view.endpoint is Endpoint.GLOBAL else 0)
    return _caught_up(relay, stands, view, lambda ledger: ledger.recent(since_ns, False))


def look_elsewhere(relay: Relay, view: View, since_ns: int, from_now: bool) -> Entrance:
    """Return how a reader goes on whose view is another now: with what has changed there.

    Args:
        relay: where it reads.
        view: what it gets from now on.
        since_ns: since when it may lack something of that, ns since the Unix epoch.
        from_now: it asked for nothing from before it came.
    """
    ledgers = relay.ledgers.values()
    if from_now:
        found: list[Iterable[Upsert]] = [_told_since(ledger, since_ns) for ledger in ledgers]
    else:
        found = [ledger.recent(since_ns, False) for ledger in ledgers]
    return _told(relay, ResumeVerdict.CAUGHT_UP, found, view, None)


def _since_joined(relay: Relay, marks: Marks, last_id: str | None) -> Iterator[LogPosition]:
    """Yield where a reader stood, when it came, in sources that have joined since.

    Raises:
        MalformedId: its id is none.
    """
    passed = {mark.source for mark in marks}
    for place in places(last_id) if last_id else ():
        source = relay.sources.get(place.epoch)
        if source is not None and source not in passed:
            yield place


def _exactly(
    relay: Relay, stands: Sequence[LogPosition], view: View, last_id: str | None
) -> Entrance:
    """Find all places in the log.

    Raises:
        FellOff: it does not hold one of them, they leave out a source, or are unsure.
    """
    marks: Marks = ()
    for place in stands:
        if place.unsure or (place.k and place.view != view.tag):
            raise FellOff("nobody knows which of a run was delivered")
        marks = advance(marks, _mark(relay, place))
    if {mark.source for mark in marks} != {mark.source for mark in relay.head.marks}:
        raise FellOff("a source is left out")
    starts = tuple((mark.source, _position(relay, mark)) for mark in marks)
    rest: list[list[bytes]] = []
    for place in stands:
        if place.start < place.seq:
            rest += _rest(relay, place, marks, view)
    cursor = Cursor(min(start for _, start in starts), marks, starts)
    return Entrance(ResumeVerdict.EXACT, cursor, last_id or event_id(marks), tuple(rest))


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
    """Return what a source published after `start`, up to `mark`."""
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
    """Tell what has changed since.

    Args:
        relay: of it.
        stands: places of a reader.
        view: of the same.
        of_joined: what it is told of a source of which it names no place, since that has joined
            meanwhile; None where it is not known why.
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
        # One that was told upserts from the beginning may lack some of an earlier epoch.
        after = -1 if place.unsure and place.start == 0 else place.start
        found.append(ledger.changed(after, place.seq))
        starts[source] = place.start
    return _told(relay, verdict, found, view, starts)


def _concerns(relay: Relay, source: str, view: View) -> bool:
    """Tell whether a source may have said anything to a reader (rule 8)."""
    folder = view.folder_at(source)
    if view.endpoint is Endpoint.INSTANCE and not relay.ledgers[source].spoke_of(folder):
        return False
    others = [ledger for name, ledger in relay.ledgers.items() if name != source]
    elsewhere = (any(session in other.sessions for other in others) for session in view.sessions)
    return not view.sessions or not all(elsewhere)


def _all_of(ledger: Ledger) -> Iterable[Upsert]:
    """Return all that a ledger holds, for one who may know any of it: what is gone as well."""
    return ledger.changed(-1, ledger.seq)


def _told_since(ledger: Ledger, since_ns: int) -> Iterator[Upsert]:
    return (one for one in ledger.recent(since_ns, False) if one.told.time_ns >= since_ns)


def _everything(relay: Relay, verdict: ResumeVerdict, view: View) -> Entrance:
    found = (ledger.changed(-1) for ledger in relay.ledgers.values())
    return _told(relay, verdict, found, view, {})


def _told(
    relay: Relay,
    verdict: ResumeVerdict,
    found: Iterable[Iterable[Upsert]],
    view: View,
    starts: Mapping[str, int] | None,
) -> Entrance:
    """Gather upserts; without `starts` for one who has no id, and gets none before the end."""
    cursor = relay.head
    upserts = tuple(one for one in chain.from_iterable(found) if view.admits(one.told))
    if not upserts:
        return Entrance(verdict, cursor, event_id(cursor.marks))
    unsure = "" if starts is None else unsure_id(starts, cursor.marks)
    return Entrance(verdict, cursor, upserts=upserts, unsure_id=unsure)
