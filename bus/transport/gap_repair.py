"""Decides which events of a frame are delivered, and what the source must be asked first.

Rules
=====

1. This file does no I/O and reads no clock. A frame goes in, an `Outcome` comes out. If the
   outcome is a question, the caller asks the source and hands in the `Answer`, which leads to the
   next outcome. Until then the caller hands in no other frame.
2. Events after a gap are not delivered before the gap is repaired. If the gap cannot be repaired
   yet, these events are dropped: the later replay or snapshot contains them too.
3. Every frame, also a heartbeat, makes the caller ask again, but not within `TRY_AGAIN_S` after a
   question that was not answered.

Theory of operation
===================

A source is a processor, and an epoch is one start of the processor. A source numbers its events
from 1 in each epoch. All events up to the number `SourceState.seq` are delivered. An epoch is
*heard* if one of its frames came within `HEARD_WITHIN_S`. A frame is one of these cases (`_case`,
`_OUTCOMES`):

======  ==============================================================  =======================
case    the frame is of                                                 outcome
======  ==============================================================  =======================
FIRST   a source that is heard for the first time                       NeedSnapshot
FITS    the current epoch, with nothing missing before the frame        Deliver, or Nothing
GAP     the current epoch, with events missing before the frame         Missing
LATER   a later epoch: the source was started anew                      FITS or GAP after seq 0
OLDER   an older epoch: the frame is late, or a clock was put back      NeedSnapshot
SILENT  an older or ended epoch, while the current epoch is not heard   NeedSnapshot
BROKEN  another epoch, while a gap is open that only a snapshot closes  NeedSnapshot
WAITS   a source with an open gap, or an older epoch; just asked        Nothing
OVER    an epoch that has ended, while the current epoch is heard       Nothing
======  ==============================================================  =======================

The answers:

- `Replayed` (to `Missing`): the replayed events are delivered, then the events of the frame.
- `Joined` (to `NeedSnapshot`): the source continues where the snapshot ends, and the later events
  of the frame are delivered. A frame of another epoch is dropped; but if the source was new, the
  frame is handled again as the next frame.
- `Unanswered` to `Missing`: the case becomes UNREPLAYED, and a snapshot is requested.
- `Unanswered` to `NeedSnapshot` (`_UNANSWERED`): a gap stays open. A new source begins with an
  open gap, or with this frame if no processor runs that could be asked. If the current epoch is
  silent, the older epoch becomes the current epoch, since the source publishes in it; otherwise
  the frame of the older epoch is dropped.

An ended epoch can become the current epoch again, since an epoch may count as ended by mistake: a
clock was put back, or a late frame looked like a new start. The true current epoch is heard every
second by its heartbeat, and an ended epoch is not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple

from msgspec import Struct

from bus.envelope import Envelope
from bus.transport.codec import Batch, Frame, Heartbeat
from bus.transport.source_state import SourceState

log = logging.getLogger("weir.bus")

TRY_AGAIN_S = 1.0
HEARD_WITHIN_S = 3.0
"""After this time without a frame, the current epoch is silent; heartbeats come each second."""


class Nothing(Struct, frozen=True):
    """There is nothing to deliver, and nothing to ask."""


class Missing(Struct, frozen=True):
    """Ask for the events after seq `after`, up to and including seq `upto`."""

    source: str
    epoch: str
    after: int
    upto: int


class NeedSnapshot(Struct, frozen=True):
    """Ask for a snapshot, and load it; `source` None: of any source of the bus."""

    source: str | None = None


class Replayed(Struct, frozen=True):
    """The answer to `Missing`: the events, in order.

    Missing events that are not in `envelopes` count as lost; `why` gives the reason.
    """

    envelopes: list[Envelope]
    why: str = "the replay is short"


class Joined(Struct, frozen=True):
    """The answer to `NeedSnapshot`: a snapshot is loaded, which covers `epoch` up to `seq`."""

    source: str
    epoch: str
    seq: int


class Unanswered(Struct, frozen=True):
    """The source sent no answer to a question; `gone`: no processor runs that could answer."""

    why: str
    gone: bool = False


Deliver = Batch
"""These envelopes follow the delivered ones without a gap; mostly they are the frame itself."""
Question = Missing | NeedSnapshot
Outcome = Deliver | Nothing | Missing | NeedSnapshot
Answer = Replayed | Joined | Unanswered

NOTHING = Nothing()


class _Case(Enum):
    FIRST = auto()
    FITS = auto()
    GAP = auto()
    UNREPLAYED = auto()
    LATER = auto()
    OLDER = auto()
    SILENT = auto()
    BROKEN = auto()
    WAITS = auto()
    OVER = auto()


class _Arrived(NamedTuple):
    """A frame, and when it came. A heartbeat has no envelopes; its `first` is the next seq."""

    source: str
    epoch: str
    first: int
    envelopes: list[Envelope]
    now: float

    @property
    def last(self) -> int:
        return self.envelopes[-1].seq if self.envelopes else self.first - 1


class GapRepair:
    """Puts the frames of any number of sources in order.

    Attributes:
        sources: the state of each source, by its name.
    """

    def __init__(self) -> None:
        self.sources: dict[str, SourceState] = {}
        self._asked: tuple[_Case, _Arrived] | None = None

    def take(self, frame: Frame, now: float) -> Outcome:
        """Return the outcome of a frame that came at `now`."""
        if isinstance(frame, Heartbeat):
            return self._place(_Arrived(frame.source, frame.epoch, frame.seq + 1, [], now))
        envelopes = frame.envelopes
        if not envelopes:
            return NOTHING
        first = envelopes[0]
        state = self.sources.get(first.source)
        if state is None or first.epoch != state.epoch or first.seq != state.seq + 1:
            return self._place(_Arrived(first.source, first.epoch, first.seq, envelopes, now))
        # Nearly every frame is the next one of its source, so this path is short.
        state.seq, state.alive_at = envelopes[-1].seq, now
        return frame

    def answer(self, answer: Answer, now: float) -> Outcome:
        """Return the outcome of the answer to the last question; the answer came at `now`."""
        asked, self._asked = self._asked, None
        if isinstance(answer, Joined):
            self._load(answer, now)
        elif isinstance(answer, Unanswered) and (asked is None or asked[0] is not _Case.GAP):
            log.warning(
                "the processor sends no snapshot of its sessions' current state: %s", answer.why
            )
        if asked is None:
            return NOTHING  # the caller asked for a snapshot before the first frame
        case, arrived = asked
        if isinstance(answer, Replayed):
            return self._replayed(arrived, answer)
        if isinstance(answer, Joined) and answer.source == arrived.source:
            return self._joined(case, arrived)
        if isinstance(answer, Joined):
            answer = Unanswered(f"the snapshot is of source {answer.source}", gone=True)
        return _UNANSWERED[case](self, arrived._replace(now=now), answer)

    def _place(self, arrived: _Arrived) -> Outcome:
        state = self.sources.get(arrived.source)
        if state is not None and state.epoch == arrived.epoch:
            state.alive_at = arrived.now
        case = _case(state, arrived)
        self._asked = case, arrived
        return _OUTCOMES[case](self, arrived)

    # What a frame leads to

    def _deliver(self, arrived: _Arrived, replayed: Sequence[Envelope] = ()) -> Outcome:
        state, envelopes = self.sources[arrived.source], arrived.envelopes
        found = [*replayed, *(envelope for envelope in envelopes if envelope.seq > state.seq)]
        state.seq = max(state.seq, arrived.last)
        return Deliver(found) if found else NOTHING

    def _missing(self, arrived: _Arrived) -> Outcome:
        state = self.sources[arrived.source]
        state.gaps += not state.is_broken
        return Missing(arrived.source, arrived.epoch, state.seq, arrived.first - 1)

    def _need_snapshot(self, arrived: _Arrived) -> Outcome:
        return NeedSnapshot(arrived.source)

    def _start_anew(self, arrived: _Arrived, _answer: Unanswered | None = None) -> Outcome:
        self._renew(arrived.source, arrived.epoch)
        return self._place(arrived)

    def _drop(self, arrived: _Arrived) -> Outcome:
        state = self.sources[arrived.source]
        if arrived.epoch == state.epoch:
            state.upto = max(state.upto, arrived.last)  # dropped events are missing as well
        return NOTHING

    # What an answer leads to

    def _replayed(self, arrived: _Arrived, answer: Replayed) -> Outcome:
        name, state, found = arrived.source, self.sources[arrived.source], len(answer.envelopes)
        if lost := arrived.first - 1 - state.seq - found:
            log.error(
                "event source %s: %d missed events after seq %d are lost: %s",
                name,
                lost,
                state.seq,
                answer.why,
            )
        if found:
            log.info(
                "event source %s: %d missed events after seq %d were replayed",
                name,
                found,
                state.seq,
            )
        state.repaired, state.lost = state.repaired + found, state.lost + lost
        state.seq = arrived.first - 1
        return self._deliver(arrived, answer.envelopes)

    def _joined(self, case: _Case, arrived: _Arrived) -> Outcome:
        state = self.sources[arrived.source]
        if state.epoch == arrived.epoch:
            if case is _Case.UNREPLAYED:
                log.info(
                    "event source %s: a snapshot replaces the missed events, so readers get the "
                    "current state instead",
                    arrived.source,
                )
            fits = arrived.first - 1 <= state.seq
            return self._deliver(arrived) if fits else self._drop(arrived)
        if case is _Case.FIRST:
            return self._place(arrived)
        if case is _Case.OLDER:
            state.over.append(arrived.epoch)
        return NOTHING

    def _drop_older(self, arrived: _Arrived, _answer: Unanswered) -> Outcome:
        self.sources[arrived.source].tried_at = arrived.now
        return NOTHING

    def _without_replay(self, arrived: _Arrived, answer: Unanswered) -> Outcome:
        name, after = arrived.source, self.sources[arrived.source].seq
        log.info(
            "event source %s: the missed events after seq %d cannot be replayed, so a snapshot of "
            "the current state is requested: %s",
            name,
            after,
            answer.why,
        )
        self._asked = _Case.UNREPLAYED, arrived
        return NeedSnapshot(arrived.source)

    def _without_snapshot(self, arrived: _Arrived, answer: Unanswered) -> Outcome:
        name, state = arrived.source, self.sources[arrived.source]
        state.tried_at = arrived.now
        self._drop(arrived)
        count = state.upto - state.seq
        log.error(
            "event source %s: %d events after seq %d are missing until they can be fetched, which "
            "is tried about once a second: %s",
            name,
            count,
            state.seq,
            answer.why,
        )
        return NOTHING

    def _begin_without(self, arrived: _Arrived, answer: Unanswered) -> Outcome:
        before, now = arrived.first - 1, arrived.now
        seq = before if answer.gone else 0
        state = SourceState(arrived.epoch, seq, alive_at=now, upto=before, tried_at=now)
        self.sources[arrived.source] = state
        return self._place(arrived)

    # Changes of state

    def _load(self, joined: Joined, now: float) -> None:
        state = self.sources.get(joined.source)
        if state is None:
            state = self.sources[joined.source] = SourceState(joined.epoch, 0, now)
        elif state.epoch != joined.epoch:
            self._renew(joined.source, joined.epoch)
        state.seq, state.upto, state.alive_at = joined.seq, 0, now
        state.snapshots += 1
        log.info(
            "event source %s: its current state is loaded, as of event %d of epoch %s",
            joined.source,
            joined.seq,
            joined.epoch,
        )

    def _renew(self, source: str, epoch: str) -> None:
        state = self.sources[source]
        log.info(
            "event source %s was restarted: its epoch is now %s, and was %s before",
            source,
            epoch,
            state.epoch,
        )
        if epoch in state.over:
            state.over.remove(epoch)
        state.over.append(state.epoch)
        if state.is_broken:
            lost = state.upto - state.seq
            state.lost += lost
            log.error(
                "event source %s: %d missed events of its previous epoch are lost, since it was "
                "restarted before they were fetched",
                source,
                lost,
            )
        state.epoch, state.seq, state.upto, state.restarts = epoch, 0, 0, state.restarts + 1


def _case(state: SourceState | None, arrived: _Arrived) -> _Case:
    if state is None:
        return _Case.FIRST
    waits = arrived.now < state.tried_at + TRY_AGAIN_S
    if state.epoch == arrived.epoch:
        if arrived.first - 1 <= state.seq:
            return _Case.FITS
        return _Case.WAITS if waits and state.is_broken else _Case.GAP
    heard, ended = arrived.now < state.alive_at + HEARD_WITHIN_S, arrived.epoch in state.over
    if ended and heard:
        return _Case.OVER
    if state.is_broken:
        return _Case.WAITS if waits else _Case.BROKEN
    if arrived.epoch > state.epoch and not ended:
        return _Case.LATER
    if not heard:
        return _Case.SILENT
    return _Case.WAITS if waits else _Case.OLDER


_OUTCOMES: Mapping[_Case, Callable[[GapRepair, _Arrived], Outcome]] = {
    _Case.FIRST: GapRepair._need_snapshot,
    _Case.FITS: GapRepair._deliver,
    _Case.GAP: GapRepair._missing,
    _Case.LATER: GapRepair._start_anew,
    _Case.OLDER: GapRepair._need_snapshot,
    _Case.SILENT: GapRepair._need_snapshot,
    _Case.BROKEN: GapRepair._need_snapshot,
    _Case.WAITS: GapRepair._drop,
    _Case.OVER: GapRepair._drop,
}

_UNANSWERED: Mapping[_Case, Callable[[GapRepair, _Arrived, Unanswered], Outcome]] = {
    _Case.FIRST: GapRepair._begin_without,
    _Case.GAP: GapRepair._without_replay,
    _Case.UNREPLAYED: GapRepair._without_snapshot,
    _Case.OLDER: GapRepair._drop_older,
    _Case.SILENT: GapRepair._start_anew,
    _Case.BROKEN: GapRepair._without_snapshot,
}
