"""Coalescing: a pure function from a run of envelopes to a shorter run that means the same.

Theory of operation. A run is cut into stretches, per session, by *barriers*: every event that is
neither a delta nor a snapshot of an entity, such as a part (`bus.events.policy`). Within a stretch

1. deltas of one entity and field concatenate, at the place of the first of them;
2. a snapshot of an entity stands for all that the stretch held of that entity before it: its
   deltas, and its provisional snapshots. They are dropped;
3. no delta merges across a snapshot of its entity;
4. everything else keeps its place.

So text only ever moves forward in time, past deltas and snapshots of *other* entities, and what is
dropped is replaced before any barrier. Nothing overtakes a barrier, and at the end of the run a
client holds what one holds that applied every raw event.

No I/O, no clock: the same run gives the same list on any worker, which is what lets an event id
name a place inside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from bus.envelope import Envelope
from bus.events import Delta, Opaque, Policy, type_of
from bus.events.catalogue import PART

_EVERYWHERE = ""

_Key = str | tuple[str, str]
"""The id of a part, of any other entity its kind and id: nearly all deltas are for parts."""


class _Merge:
    """Deltas of one entity and field that have become one, at `place` in the result."""

    __slots__ = ("last", "place", "texts")

    def __init__(self, place: int, envelope: Envelope, delta: Delta) -> None:
        self.place = place
        self.last = envelope
        self.texts = [delta.delta]


class _InStretch:
    """What a stretch holds of one entity since its last snapshot, that one included."""

    __slots__ = ("merges", "provisional")

    def __init__(self, provisional: int | None = None) -> None:
        self.provisional = provisional
        self.merges: dict[str, _Merge] = {}


class Coalesced(Struct, frozen=True):
    """A shorter run, and what has become of the rest.

    Attributes:
        envelopes: that run.
        merged: how many events went into another one.
        superseded: how many were dropped, since a later snapshot stands for them.
        superseded_size: characters of the text, or bytes of the payload, of those.
    """

    envelopes: list[Envelope]
    merged: int
    superseded: int
    superseded_size: int


def coalesce(run: Sequence[Envelope], keep_superseded: bool = False) -> list[Envelope]:
    """Return the shortest list of envelopes that leads to the same state as `run`."""
    return coalesced(run, keep_superseded).envelopes


def coalesced(run: Sequence[Envelope], keep_superseded: bool = False) -> Coalesced:
    """Return the shortest list of envelopes that leads to the same state as `run`, with counts.

    Args:
        run: envelopes of one source, in order.
        keep_superseded: keep (merged) the deltas that a later snapshot stands for, and the
            snapshot they belong to, for clients that read nothing but deltas.
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
