"""Event ids: the position of a reader in the event order of each source (processor).

An *epoch* is one start of a source, and a *seq* numbers its events; a *run* is the events with the
seqs FROM < seq <= TO. A *view* is a reader's filter. A run always coalesces to the same list for
the same view. So an id names how many events of which run were delivered:
``EPOCH:FROM-TO.K@VIEW`` inside the run (the first K events), and ``EPOCH:TO`` at its end, which is
the same position in any view. If there are several sources, a run is coalesced for each source,
in the order of their names, and the id has such a position for each source, joined with commas.
An epoch is unique, so it also names its source.

While upserts (the present values of entities) are sent, the id is ``EPOCH:FROM~TO``: the reader
has all events up to FROM, and an unknown part of the events up to TO.

If a reader may see only some folders and sessions (its *scope*), its ids end with ``!SCOPE``. An
id of another scope says nothing about which events the reader has: events that its present scope
admits may lie before the id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from msgspec import Struct

from bus.envelope import Envelope
from bus.log import LONG_RUN_EVENTS
from gateway.relay.view import View


class Mark(Struct, frozen=True, cache_hash=True):
    """A position between events of one source (processor): after event `seq` of epoch `epoch`."""

    source: str
    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


Marks = tuple[Mark, ...]
"""A position in every known source, in the order of the sources' names."""


class LogPosition(Struct, frozen=True):
    """The part of an event id about one source (processor); a run is some consecutive events.

    Attributes:
        epoch: the start of the source that published the run.
        start: the seq before the first event of the run; equal to `seq` if the id names no run.
        seq: the seq of the last event of the run.
        k: how many events of the coalesced run were delivered.
        view: the tag of the view (filter) for which the `k` events were counted; empty without a
            run.
        unsure: the reader got some entities of the run as upserts, and not known which.
    """

    epoch: str
    start: int
    seq: int
    k: int = 0
    view: str = ""
    unsure: bool = False

    @classmethod
    def of(cls, mark: Mark) -> LogPosition:
        """Return the position of a reader that has all events up to `mark`."""
        return cls(mark.epoch, mark.seq, mark.seq)


class MalformedId(ValueError):
    """The text is not an event id."""


_POSITION = re.compile(
    r"(?P<epoch>[^:\-.,~\s]{1,64}):"
    r"(?:(?P<start>\d{1,18})(?P<kind>[-~]))?(?P<seq>\d{1,18})"
    r"(?:\.(?P<k>\d{1,9})(?:@(?P<view>[0-9a-f]{1,8}))?)?"
)
_MOST_POSITIONS = 64
_SCOPE = re.compile(r"!([0-9a-f]{8})\Z")


def scope_in(text: str) -> str:
    """Return ``SCOPE`` of an event id that ends with ``!SCOPE``; empty for any other id."""
    match = _SCOPE.search(text)
    return match[1] if match else ""


def parse_id(text: str) -> tuple[LogPosition, ...]:
    """Parse an event id; return one position for each source that it names.

    Raises:
        MalformedId: `text` is not an event id.
    """
    plain = _SCOPE.sub("", text)
    found = tuple(map(_parse_position, plain.split(",", _MOST_POSITIONS)))
    if len({place.epoch for place in found}) < len(found):
        raise MalformedId(f"{text[:100]!r} names an epoch twice")
    return found


def _parse_position(text: str) -> LogPosition:
    match = _POSITION.fullmatch(text)
    if match is None or (match["kind"] == "-") != (match["k"] is not None):
        forms = "EPOCH:SEQ, EPOCH:FROM-TO.K@VIEW or EPOCH:FROM~TO"
        raise MalformedId(f"{text[:100]!r} is not {forms}")
    seq = int(match["seq"])
    start, k = int(match["start"] or seq), int(match["k"] or 0)
    # This gateway makes no longer runs, so the id is forged. To coalesce a longer run would keep
    # all other readers waiting.
    too_long = match["kind"] == "-" and seq - start > LONG_RUN_EVENTS
    if start > seq or k > seq - start or too_long:
        raise MalformedId(f"{text[:100]!r} names an impossible run")
    return LogPosition(match["epoch"], start, seq, k, match["view"] or "", match["kind"] == "~")


def unsure_id(starts: Mapping[str, int], marks: Marks, view: View) -> str:
    """Return the event id of each upsert but the last: ``EPOCH:FROM~TO`` for each source.

    Args:
        starts: by source, the seq up to which the reader has all events; 0 if missing.
        marks: the reader's position after all upserts.
        view: which events the reader gets.
    """
    return _scoped((f"{m.epoch}:{starts.get(m.source, 0)}~{m.seq}" for m in marks), view)


def event_id(marks: Marks, view: View) -> str:
    """Return the event id of position `marks`; empty if no source is known.

    The id depends on `view` only if the reader may see only some folders and sessions.
    """
    return _scoped(map(str, marks), view)


def _scoped(parts: Iterable[str], view: View) -> str:
    plain = ",".join(parts)
    return f"{plain}!{view.scope_tag}" if plain and view.scope is not None else plain


def mark_of(envelope: Envelope) -> Mark:
    """Return the position after an envelope, in the order of its source."""
    return Mark(envelope.source, envelope.epoch, envelope.seq)


def advance(marks: Marks, moved: Mark) -> Marks:
    """Return `marks` with `moved` added, or in place of the position in the same source."""
    if len(marks) == 1 and marks[0].source == moved.source:
        return (moved,)
    others = (mark for mark in marks if mark.source != moved.source)
    return tuple(sorted((*others, moved), key=attrgetter("source")))


def by_source(run: Sequence[Envelope]) -> list[Sequence[Envelope]]:
    """Split consecutive events by source and epoch, in the order of the sources' names."""
    if len(run) <= 1 or len({envelope.epoch for envelope in run}) == 1:
        return [run] if run else []
    ordered = sorted(run, key=attrgetter("source"))
    return [list(group) for _, group in groupby(ordered, key=attrgetter("source", "epoch"))]


def ids_in_run(run: Sequence[Envelope], after: Marks, count: int, view: View) -> Iterator[str]:
    """Yield the event id of each event that a run coalesces to.

    Args:
        run: consecutive events of one source, before any filter.
        after: the reader's position after the whole run.
        count: how many events the run coalesces to.
        view: the filter that was applied before coalescing.
    """
    if count > 1:
        first, last = run[0], run[-1]
        marks = [str(mark) for mark in after]
        place = next(i for i, mark in enumerate(after) if mark.source == last.source)
        tag = view.tag
        for k in range(1, count):
            marks[place] = f"{last.epoch}:{first.seq - 1}-{last.seq}.{k}@{tag}"
            yield _scoped(marks, view)
    if count:
        yield event_id(after, view)
