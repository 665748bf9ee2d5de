"""Readers that follow the same view, and get the same bytes by one flush.

1. Readers of a lane that stand at the same place form a rank. A flush computes one step for a rank
   and writes it to each socket without blocking. Then all stand where the step ends.
2. A reader whose socket takes only part of it leaves the rank; its outlet writes the rest, and
   brings it back once it stands at the head of the log again.
3. A rank passes over what its view does not admit. So a reader costs nothing while the log grows
   by events that its view does not admit, and the reader still does not fall off the log.
4. With a pace, further deltas of a part leave only so often. What is no delta leaves at once, and
   takes along what waits; so does the first delta of a part. A flush then takes a long run: a
   client would lay out the text anew for each delta that a cut of the log makes.
"""

from __future__ import annotations

import time
from copy import copy

from gevent.event import Event

from bus.process.fairness import TimeSlice
from gateway.relay import Cursor, FellOff, Relay, Step, View
from gateway.relay.frames import in_chunks
from gateway.relay.pacing import Pace
from gateway.streams.counts import Sent
from gateway.streams.reader import Reader

_MOST_WRITES_A_LOOK = 8
_BYTES_A_LOOK = 16 * 1024  # as many as 8 small writes cost


class Rank:
    """Readers of a lane that stand at the same place.

    Attributes:
        cursor: where they stand.
        readers: who they are.
        sent: what a reader was sent that has been in the lane for as long as this counts.
    """

    __slots__ = ("cursor", "readers", "sent")

    def __init__(self, cursor: Cursor, sent: Sent) -> None:
        self.cursor = cursor
        self.sent = sent
        self.readers: set[Reader] = set()


class Lane:
    """The ranks of one view.

    Args:
        relay: where their steps come from.
        view: what all readers here get.
        chunked: their answers are in chunks.
        pace_s: the least time between two flushes of further deltas; 0 for none.
        everyone: counts what all readers of the worker are sent.

    Attributes:
        view: as given.
        flushing: a greenlet flushes it, or waits to do so.
        cost_s: how long the last flush took.
    """

    def __init__(
        self, relay: Relay, view: View, chunked: bool, pace_s: float, everyone: Sent
    ) -> None:
        self.flushing = False
        self.cost_s = 0.0
        self._relay = relay
        self.view = view
        self._chunked = chunked
        self._everyone = everyone
        self._ranks: dict[Cursor, Rank] = {}
        self._pace = Pace(pace_s)
        self._hurry: Event | None = None
        self._further = (0, 0)

    def __bool__(self) -> bool:
        return any(rank.readers for rank in self._ranks.values())

    def join(self, reader: Reader) -> None:
        """Have a reader wait here, where it stands."""
        cursor = reader.cursor.evened()
        rank = self._ranks.get(cursor)
        if rank is None:
            rank = self._ranks[cursor] = Rank(cursor, Sent())
        reader.enter(rank)

    @property
    def ranks(self) -> list[Rank]:
        """The ranks that hold readers."""
        return [rank for rank in self._ranks.values() if rank.readers]

    def has_before(self, position: int) -> bool:
        """Tell whether there is something to flush or to pass over before a position."""
        return any(
            rank.cursor.position < position and self._relay.goes_on_after(rank.cursor)
            for rank in self._ranks.values()
            if rank.readers
        )

    def is_held_back(self) -> bool:
        """Return whether the pace delays the flush."""
        return self._pace.holds_back and self._held_back_s() > 0

    def hold_back(self) -> None:
        """Block for as long as the pace delays the flush."""
        if (left_s := self._held_back_s()) > 0:
            self._hurry = Event()
            self._hurry.wait(left_s)
            self._hurry = None

    def hurry(self) -> None:
        """End `hold_back` if there is more than further deltas now."""
        if self._hurry is not None and not self.is_held_back():
            self._hurry.set()

    def flush(self, turn: TimeSlice) -> None:
        """Write to all readers what comes next; others get their turns in between.

        What the view does not admit is passed over.
        """
        began_s, ranks = turn.spent_s, self.ranks
        if len(ranks) < len(self._ranks):
            self._ranks = {rank.cursor: rank for rank in ranks}
        for rank in ranks:
            try:
                step = self._next(rank)
            except FellOff:
                self._by_greenlets(rank)
                continue
            if step is None:
                continue
            self._pace.note(step, time.monotonic())
            if step.ends:
                self._by_greenlets(rank, step)
            else:
                self._write(rank, step, turn)
        self.cost_s = turn.spent_s - began_s

    def _next(self, rank: Rank) -> Step | None:
        """Return the next step of a rank, None if there is nothing to send up to the head."""
        cursor = self._relay.passed(rank.cursor, self.view)
        step = self._relay.step(cursor, self.view, self._pace.holds_back)
        while step is not None and not step.pieces and not step.ends:
            cursor = step.cursor
            step = self._relay.step(cursor, self.view, self._pace.holds_back)
        if cursor != rank.cursor:
            self._move(rank, cursor)
        return step

    def _move(self, rank: Rank, cursor: Cursor) -> None:
        """Have a rank stand elsewhere, together with those that stand there already."""
        del self._ranks[rank.cursor]
        there = self._ranks.get(cursor.evened())
        if there is None:
            rank.cursor = cursor.evened()
            self._ranks[rank.cursor] = rank
            return
        for reader in list(rank.readers):
            reader.leave_rank()
            reader.enter(there)

    def _by_greenlets(self, rank: Rank, step: Step | None = None) -> None:
        """Have each reader served by itself: by turns, and as its own place demands."""
        for reader in list(rank.readers):
            if reader.outlet is not None:
                reader.outlet.work(step=step)

    def _write(self, rank: Rank, step: Step, turn: TimeSlice) -> None:
        data = in_chunks(step.pieces) if self._chunked else b"".join(step.pieces)
        there, is_new = self._after(rank, step)
        written, writes_a_look = 0, _writes_a_look(len(data))
        for number, reader in enumerate(list(rank.readers), start=1):
            if reader.rank is not rank or reader.outlet is None:
                continue  # it has left while others had their turn
            left = reader.outlet.send(data)
            if reader.rank is not rank:
                continue  # its peer has left
            if is_new and left is None:
                rank.readers.discard(reader)
                reader.rank = there
                there.readers.add(reader)
                written += 1
            else:
                reader.leave_rank()
                reader.cursor = step.cursor
                reader.count_step(step)
                if left is None:
                    reader.enter(there)
                else:
                    reader.outlet.work(left)
            if number % writes_a_look == 0:
                turn.pass_on_if_over()
        self._everyone.step(step, written)
        if not rank.readers and self._ranks.get(rank.cursor) is rank:
            del self._ranks[rank.cursor]

    def _after(self, rank: Rank, step: Step) -> tuple[Rank, bool]:
        """Return where the readers of a rank stand after a step, and whether that place is new."""
        cursor = step.cursor.evened()
        there = self._ranks.get(cursor)
        if there is not None:
            return there, False
        sent = copy(rank.sent)
        sent.step(step)
        there = self._ranks[cursor] = Rank(cursor, sent)
        return there, True

    def _held_back_s(self) -> float:
        """Return for how long the pace delays the flush; it delays further deltas only."""
        held_s = self._pace.held_back_s(time.monotonic())
        return held_s if held_s > 0 and self._only_further_deltas() else 0.0

    def _only_further_deltas(self) -> bool:
        """Tell whether all that follows is further deltas; each event is looked at once."""
        head = self._relay.log.head
        first = min((rank.cursor.position for rank in self.ranks), default=head)
        begin, end = self._further
        if not begin <= first <= end:
            begin = end = first
        try:
            if not self._relay.adds_only_to(self._pace.known, end, self.view):
                return False
        except FellOff:
            return False
        self._further = begin, head
        return True


def _writes_a_look(size: int) -> int:
    """Return after how many writes of so many bytes to look at the clock: a look costs as well."""
    return max(1, min(_MOST_WRITES_A_LOOK, _BYTES_A_LOOK // size))
