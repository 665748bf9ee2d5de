"""Event ids: where in each source's order a reader stands after an event.

A run (from, to] of one source always coalesces to the same list, so an id names how many events
of which run have been delivered: ``EPOCH:FROM-TO.K`` inside the run, ``EPOCH:TO`` at its end.
With several sources a run is coalesced per source, in the order of their names, and the id is
one such mark per source, joined with commas. An epoch names its source, being unique.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from msgspec import Struct

from bus.envelope import Envelope


class Mark(Struct, frozen=True):
    """The last seq of one source that a reader has passed."""

    source: str
    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


Marks = tuple[Mark, ...]
"""One mark for each source seen, in the order of the sources' names."""


def event_id(marks: Marks) -> str:
    """Return the id of a reader that stands at `marks`, empty if it has seen no source."""
    return ",".join(map(str, marks))


def advance(marks: Marks, envelope: Envelope) -> Marks:
    """Return the marks after `envelope`."""
    moved = Mark(envelope.source, envelope.epoch, envelope.seq)
    if len(marks) == 1 and marks[0].source == moved.source:
        return (moved,)
    others = (mark for mark in marks if mark.source != moved.source)
    return tuple(sorted((*others, moved), key=attrgetter("source")))


def by_source(run: Sequence[Envelope]) -> list[Sequence[Envelope]]:
    """Split a run into one for each source and epoch, in the order of the sources' names."""
    if len({envelope.epoch for envelope in run}) <= 1:
        return [run] if run else []
    ordered = sorted(run, key=attrgetter("source"))
    return [list(group) for _, group in groupby(ordered, key=attrgetter("source", "epoch"))]


def ids_in_run(run: Sequence[Envelope], after: Marks, count: int) -> Iterator[str]:
    """Yield the ids of the events that a run of one source coalesced to.

    Args:
        run: the run, before any filter.
        after: where a reader stands when all of it is delivered.
        count: how many events it coalesced to.
    """
    first, last = run[0], run[-1]
    marks = [str(mark) for mark in after]
    place = next(i for i, mark in enumerate(after) if mark.source == last.source)
    for k in range(1, count):
        marks[place] = f"{last.epoch}:{first.seq - 1}-{last.seq}.{k}"
        yield ",".join(marks)
    if count:
        yield event_id(after)
