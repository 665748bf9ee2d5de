"""Coalescing: a pure function from a run of events to a shorter run with the same result.

Theory of operation. A *run* is some consecutive events of one source (a processor), each in its
envelope. In each session, *barriers* divide a run into stretches. A barrier is every event that is
neither a delta (text to append) nor a snapshot (the whole value) of an entity, such as a part of a
message; types with the policy `NEVER` are no barriers either (`bus.events.policy`). Within a
stretch:

1. The deltas of one field of an entity are joined, at the position of the first of these deltas.
2. A snapshot of an entity replaces all earlier deltas of the entity in the stretch, and all
   earlier snapshots that are provisional (of an entity that is still growing). These events are
   dropped.
3. No delta merges across a snapshot of its entity.
4. Every other event keeps its position.

So a text may only reach a client earlier, ahead of deltas and snapshots of *other* entities, and
the snapshot that replaces dropped events comes before the next barrier. Nothing overtakes a
barrier, and at the end of the run a client has the same state as a client that applied every
event of the run.

There is no I/O and no clock: a run gives the same list on every worker, so an event id can name a
position in this list, and another worker can continue there.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from bus.envelope import Envelope
from bus.events import Delta, Opaque, Policy, type_of
from bus.events.catalogue import PART

_EVERYWHERE = ""

_Key = str | tuple[str, str]
"""Names an entity: a part by its id alone, any other entity by its kind and id.

Nearly all deltas are for parts, so their key is the cheaper one.
"""


class _Merge:
    """Deltas of one field of an entity that become one delta, at index `place` of the result."""

    __slots__ = ("last", "place", "texts")

    def __init__(self, place: int, envelope: Envelope, delta: Delta) -> None:
        self.place = place
        self.last = envelope
        self.texts = [delta.delta]


class _InStretch:
    """The events of one entity since its last snapshot, within the part of a run between two
    barriers (events that no other event may overtake).

    `provisional` is the index in the result of this snapshot if a later snapshot replaces it; None
    if the snapshot is final, so that clients get it in any case.
    """

    __slots__ = ("merges", "provisional")

    def __init__(self, provisional: int | None = None) -> None:
        self.provisional = provisional
        self.merges: dict[str, _Merge] = {}


class Coalesced(Struct, frozen=True):
    """The result of coalescing a run.

    Attributes:
        envelopes: the events that are left, in order.
        merged: how many deltas became part of another delta.
        superseded: how many events were dropped, because a later snapshot contains their content.
        superseded_size: size of the dropped events: characters of deltas, bytes of snapshots.
    """

    envelopes: list[Envelope]
    merged: int
    superseded: int
    superseded_size: int


def coalesce(run: Sequence[Envelope], keep_superseded: bool = False) -> list[Envelope]:
    """Return the shortest list of events that gives a client the same state as `run`."""
    return coalesced(run, keep_superseded).envelopes


def coalesced(run: Sequence[Envelope], keep_superseded: bool = False) -> Coalesced:
    """Return the shortest list of events that gives a client the same state as `run`, with counts.

    Args:
        run: events of one source, in order.
        keep_superseded: join, but do not drop, deltas that a later snapshot replaces, and keep the
            snapshot before them: for clients that read only deltas.
    """
    if len(run) == 1:
        return Coalesced(list(run), 0, 0, 0)
    return _Coalescer(keep_superseded).coalesce(run)


class _Coalescer:
    def __init__(self, keep_superseded: bool) -> None:
        self._keep = keep_superseded
        self._result: list[Envelope | None] = []
        self._stretches: dict[str, dict[_Key, _InStretch]] = {}
        self._merges: list[_Merge] = []
        self._superseded = 0
        self._superseded_size = 0

    def coalesce(self, run: Sequence[Envelope]) -> Coalesced:
        for envelope in run:
            event = envelope.event
            if isinstance(event, Delta):
                self._append(envelope, event)
            else:
                self._whole(envelope, event)
        for merge in self._merges:
            if len(merge.texts) > 1 and self._result[merge.place] is not None:
                self._result[merge.place] = _merged(merge)
        left = [envelope for envelope in self._result if envelope is not None]
        merged = len(run) - len(left) - self._superseded
        return Coalesced(left, merged, self._superseded, self._superseded_size)

    def _append(self, envelope: Envelope, delta: Delta) -> None:
        key = delta.entity if delta.other_type is None else (delta.kind, delta.entity)
        held = self._held(delta.sessionID, key)
        merge = held.merges.get(delta.field)
        if merge is not None and merge.last.directory == envelope.directory:
            merge.texts.append(delta.delta)
            merge.last = envelope
            return
        merge = held.merges[delta.field] = _Merge(len(self._result), envelope, delta)
        self._merges.append(merge)
        self._result.append(envelope)

    def _whole(self, envelope: Envelope, event: Opaque) -> None:
        kind = type_of(event.type)
        about = kind.snapshot_of if kind.policy is Policy.LATEST else None
        if about is not None and event.entity is not None:
            self._snapshot(event, event.entity if about is PART else (about.name, event.entity))
        elif kind.policy is not Policy.NEVER:
            self._barrier(event.sessionID)
        self._result.append(envelope)

    def _snapshot(self, event: Opaque, key: _Key) -> None:
        session = event.sessionID or _EVERYWHERE
        held = self._held(session, key)
        kept = self._keep and held.merges
        if held.provisional is not None and not kept:
            self._drop_snapshot(held.provisional)
        if not self._keep:
            for merge in held.merges.values():
                self._drop_deltas(merge)
        place = len(self._result) if event.provisional else None
        self._stretches[session][key] = _InStretch(place)

    def _drop_snapshot(self, place: int) -> None:
        dropped = self._result[place]
        assert dropped is not None, "a snapshot is dropped once"
        self._result[place] = None
        self._superseded += 1
        self._superseded_size += dropped.event.size

    def _drop_deltas(self, merge: _Merge) -> None:
        self._result[merge.place] = None
        self._superseded += len(merge.texts)
        self._superseded_size += sum(map(len, merge.texts))

    def _barrier(self, session: str | None) -> None:
        if session is None:
            self._stretches.clear()
        else:
            self._stretches.pop(session, None)

    def _held(self, session: str, key: _Key) -> _InStretch:
        stretch = self._stretches.get(session)
        if stretch is None:
            stretch = self._stretches[session] = {}
        held = stretch.get(key)
        if held is None:
            held = stretch[key] = _InStretch()
        return held


def _merged(merge: _Merge) -> Envelope:
    last = merge.last
    delta = last.event
    assert isinstance(delta, Delta)
    event = Delta(
        delta.id,
        delta.sessionID,
        delta.owner,
        delta.entity,
        delta.field,
        "".join(merge.texts),
        delta.other_type,
    )
    return Envelope(
        last.source,
        last.epoch,
        last.seq,
        last.time_ns,
        last.directory,
        last.project,
        last.workspace,
        event,
    )
