"""The core of a gateway worker: one log of events, and a cursor in the log for each reader.

No I/O: events go in, bytes to write come out. Readers with equal views (filters) at the same
position share the bytes, so an event is encoded once for all these readers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterable, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from bus.envelope import Envelope
from bus.events import Delta, Opaque, type_of
from bus.ledger import Ledger
from bus.ledger.ledger import MAX_BYTES
from bus.log import Log, Run
from bus.transport.clone import Cloned
from gateway.relay.coalesce import Coalesced, coalesced
from gateway.relay.frames import frame, joined
from gateway.relay.latest import Latest, News
from gateway.relay.mark import Mark, Marks, advance, by_source, ids_in_run, mark_of
from gateway.relay.view import Endpoint, View

_CACHE_BYTES = 8 * 1024 * 1024

# An epoch is one start of a source (processor). Readers come back within seconds after a restart,
# and the pauses between repeated restarts grow, so a reader's event id names one of the latest
# epochs. A reader whose id names an older epoch is sent the present value of every entity.
EPOCHS_OF_A_SOURCE = 16


class Cursor(Struct, frozen=True, cache_hash=True):
    """A reader's position in this worker's log, and in the order of each source (processor).

    A reader that resumes may have events of a source that come after `position`, since another
    worker had the sources' events in another order. `starts` keeps it from getting them twice.

    Attributes:
        position: the reader has all events before this position in the log.
        marks: the same position in the order of each source.
        starts: (source, log position) pairs: of this source, the reader has all events before
            this log position.
    """

    position: int
    marks: Marks = ()
    starts: tuple[tuple[str, int], ...] = ()

    @property
    def is_even(self) -> bool:
        """Whether the reader has no event from `position` on, of any source."""
        return not self.starts or all(start <= self.position for _, start in self.starts)

    def evened(self) -> Cursor:
        """Return the same cursor, without `starts` once `position` has reached them all."""
        return replace(self, starts=()) if self.starts and self.is_even else self


Flow = tuple[str, str]
"""A text that grows: the id of an entity, nearly always a part, and the name of its field."""


NOWHERE = -1
"""The log position of a reader that sent an event id to a worker that knows no source yet."""


class Step(Struct, frozen=True):
    """What a reader gets next: the coalesced frames of a run, which is some consecutive events.

    Attributes:
        pieces: bytes to write, in order; empty if the reader's view admits no event of the run.
        cursor: the reader's position after the pieces.
        events: how many events the pieces contain.
        ends: the stream ends after this step.
        merged: how many deltas became part of another delta.
        superseded: how many events were left out, because a later snapshot replaces them.
        saved_bytes: about how many bytes the merged and superseded frames would have taken.
        flows: how many characters the step appends, by entity and field.
        size: bytes of all pieces.
    """

    pieces: tuple[bytes, ...]
    cursor: Cursor
    events: int
    ends: bool
    merged: int = 0
    superseded: int = 0
    saved_bytes: int = 0
    flows: dict[Flow, int] = {}
    size: int = 0


class Relay:
    """Takes each event once, and serves any number of readers.

    Attributes:
        log: the latest events of all sources (processors).
        ledgers: by source, the present value of each session, message and part.
        sources: the name of the source by epoch (one start of a source), for the last
            `EPOCHS_OF_A_SOURCE` epochs of each source.
    """

    def __init__(self, log: Log | None = None, ledger_bytes: int = MAX_BYTES) -> None:
        self.log = log or Log()
        self.ledgers: dict[str, Ledger] = {}
        self.sources: dict[str, str] = {}
        self._ledger_bytes = ledger_bytes
        self._latest = Latest()
        self._marks: Marks = ()
        self._steps: OrderedDict[tuple[int, int, View], Step] = OrderedDict()
        self._steps_bytes = 0

    @property
    def head(self) -> Cursor:
        """The position of a reader that has all events."""
        return Cursor(self.log.head, self._marks)

    def append(self, envelopes: Sequence[Envelope]) -> None:
        """Add the next events of one source to the log and to the ledger of the source."""
        if not envelopes:
            return
        self._append(envelopes)
        last = envelopes[-1]
        self._ledger(last.source).note(envelopes)
        self._stand(mark_of(last))

    def load(self, cloned: Cloned) -> None:
        """Replace a source's ledger and log entries by a snapshot from its processor.

        Every old position is invalid then: `step` raises `FellOff`, and `enter.go_on` finds the
        reader's new position. The events of other sources are appended again, behind the events
        of this source, since the log drops its oldest events first.
        """
        snapshot = cloned.snapshot
        others = [e for e in self.log.envelopes() if e.source != snapshot.source]
        self.log.restart()
        self._latest.news.for_all = True
        self._append(chain(cloned.journal, others))
        ledger = snapshot.ledger(self._ledger_bytes)
        if snapshot.source in self.ledgers:
            ledger.inherit(self.ledgers[snapshot.source])
        self.ledgers[snapshot.source] = ledger
        self._stand(Mark(snapshot.source, snapshot.epoch, snapshot.seq))

    def goes_on_after(self, cursor: Cursor) -> bool:
        """Return whether the log contains an event after `cursor`."""
        position = cursor.position
        return position < self.log.head and (position != NOWHERE or bool(self._marks))

    def step(self, cursor: Cursor, view: View, long: bool = False) -> Step | None:
        """Return the frames after `cursor`, None if no event follows yet.

        Args:
            cursor: the reader's position.
            view: which events the reader gets.
            long: take more events at once; for many readers that share the result.

        Raises:
            FellOff: the log has dropped the position.
        """
        if not self.goes_on_after(cursor):
            return None
        run = self.log.long_run(cursor.position) if long else self.log.run(cursor.position)
        if not cursor.is_even:
            return _uneven_step(run, cursor, view)
        key = (run.start, run.end, view)
        step = self._steps.get(key)
        if step is None:
            step = _step(run, cursor.marks, view)
            self._remember(key, step)
        return step

    def adds_only_to(self, known: Container[Flow], position: int, view: View) -> bool:
        """Return whether all events that `view` admits from `position` on extend `known` texts."""
        while position < self.log.head:
            run = self.log.run(position)
            if not all(_adds_to(known, one) for one in run.envelopes if view.admits(one)):
                return False
            position = run.end
        return True

    def passed(self, cursor: Cursor, view: View) -> Cursor:
        """Return the newest position if `view` surely admits no event until there, else `cursor`.

        The check looks at no event, so it may fail to see that no event is admitted.
        """
        cannot_tell = cursor.position < self.log.tail or not cursor.is_even
        if cannot_tell or self._latest.may_hold(view, cursor.position):
            return cursor
        return self.head

    def news(self) -> News:
        """Return which sessions and directories the events since the last call are about."""
        news, self._latest.news = self._latest.news, News()
        return news

    def let_go(self, now: float) -> None:
        """Drop the oldest events past the bounds of the log; to be called about once a second."""
        tail = self.log.tail
        self.log.let_go(now)
        self._latest.forget(self.log.tail)
        if self.log.tail != tail:
            self._steps.clear()
            self._steps_bytes = 0

    def _append(self, envelopes: Iterable[Envelope]) -> None:
        for position, envelope in enumerate(envelopes, self.log.head):
            self.log.append(envelope)
            self._latest.note(position, envelope)

    def _stand(self, mark: Mark) -> None:
        self._marks = advance(self._marks, mark)
        if mark.epoch in self.sources:
            return
        self.sources[mark.epoch] = mark.source
        epochs = [epoch for epoch, source in self.sources.items() if source == mark.source]
        for old in epochs[:-EPOCHS_OF_A_SOURCE]:
            del self.sources[old]

    def _ledger(self, source: str) -> Ledger:
        ledger = self.ledgers.get(source)
        if ledger is None:
            ledger = self.ledgers[source] = Ledger(self._ledger_bytes)
        return ledger

    def _remember(self, key: tuple[int, int, View], step: Step) -> None:
        self._steps[key] = step
        self._steps_bytes += _cost(step)
        while self._steps_bytes > _CACHE_BYTES and len(self._steps) > 1:
            _, oldest = self._steps.popitem(last=False)
            self._steps_bytes -= _cost(oldest)


def _adds_to(known: Container[Flow], envelope: Envelope) -> bool:
    event = envelope.event
    return isinstance(event, Delta) and (event.entity, event.field) in known


def _cost(step: Step) -> int:
    return step.size + 500


def _step(run: Run, marks: Marks, view: View) -> Step:
    frames: list[list[bytes]] = []
    flows: dict[Flow, int] = {}
    merged = superseded = saved = 0
    ends = False
    for part in by_source(run.envelopes):
        marks = advance(marks, mark_of(part[-1]))
        admitted = [e for e in part if view.admits(e)]
        short = coalesced(admitted, view.keep_superseded)
        merged, superseded = merged + short.merged, superseded + short.superseded
        saved += _saved(admitted, short, view)
        ids = ids_in_run(part, marks, len(short.envelopes), view)
        for envelope, event_id in zip(short.envelopes, ids, strict=True):
            frames.append(frame(envelope, view.endpoint, event_id))
            event = envelope.event
            if isinstance(event, Delta):
                flow = event.entity, event.field
                flows[flow] = flows.get(flow, 0) + len(event.delta)
            elif ends := _ends(event, view):
                break
        if ends:
            break
    pieces, cursor = joined(frames), Cursor(run.end, marks)
    counts = merged, superseded, saved
    return Step(pieces, cursor, len(frames), ends, *counts, flows, sum(map(len, pieces)))


def _saved(admitted: Sequence[Envelope], short: Coalesced, view: View) -> int:
    """Estimate the bytes that coalescing saves, as if all frames had the size of the first."""
    vanished = short.merged + short.superseded
    if not vanished:
        return 0
    first = next((e for e in admitted if isinstance(e.event, Delta)), admitted[0])
    size = sum(map(len, frame(first, view.endpoint, f"{first.epoch}:{first.seq}")))
    return short.superseded_size + vanished * (size - first.event.size)


def _uneven_step(run: Run, cursor: Cursor, view: View) -> Step:
    """Return a step without the events that the reader already has (`Cursor.starts`)."""
    starts = dict(cursor.starts)
    placed = enumerate(run.envelopes, run.start)
    left = [e for position, e in placed if position >= starts.get(e.source, 0)]
    step = _step(Run(run.start, run.end, left), cursor.marks, view)
    return replace(step, cursor=replace(step.cursor, starts=cursor.starts))


def _ends(event: Opaque, view: View) -> bool:
    """Return whether the stream ends after `event`.

    `/event` ends when opencode's instance for the reader's directory is disposed.
    """
    return view.endpoint is Endpoint.INSTANCE and type_of(event.type).ends_streams
