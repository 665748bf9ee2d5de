"""A lane: the readers with the same view (filter), which get the same bytes.

1. The readers of a lane at the same position in the log are a rank. A flush computes one step (the
   bytes of the next events) for a rank, and writes it to each socket without blocking. After that,
   these readers are at the end of the step.
2. A reader whose socket takes only a part of the step leaves the rank. Its outlet writes the
   remaining bytes, and adds the reader to the lane again once it has all events of the log.
3. A rank skips events that its view does not admit. So a reader costs nothing while the log grows
   by such events, and the log never drops events that the reader still needs.
4. A lane may have a pace: further deltas of a part are then sent in intervals. The first delta of
   a part, and every event that is no delta, are sent at once, together with the deltas that wait.
   With a pace, a step may cover several segments of the log. Otherwise each segment would give a
   delta of its own, and a client lays out its whole text again for each delta.
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
_BYTES_A_LOOK = 16 * 1024  # to write so many bytes takes as long as 8 small writes


class Rank:
    """The readers of a lane at the same position in the log.

    Attributes:
        cursor: the position of these readers.
        readers: the readers.
        sent: what the lane has sent up to this position. A reader that enters notes the counts at
            that time, and its own counts are the difference.
    """

    __slots__ = ("cursor", "readers", "sent")

    def __init__(self, cursor: Cursor, sent: Sent) -> None:
        self.cursor = cursor
        self.sent = sent
        self.readers: set[Reader] = set()


class Lane:
    """All readers with the same view (filter), in ranks by their position in the log.

    Args:
        relay: computes the bytes of the next events.
        view: which events the readers of this lane get.
        chunked: the readers' HTTP answers use chunked encoding.
        pace_s: the shortest time between deltas of the same text; 0 sends each at once.
        everyone: counts what is sent to all readers of the worker.

    Attributes:
        view: which events the readers of this lane get.
        flushing: a greenlet flushes the lane, or waits to do so.
        cost_s: how long (s) the last flush took.
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
        """Add a reader to the readers at the same position in the log (its rank)."""
        cursor = reader.cursor.evened()
        rank = self._ranks.get(cursor)
        if rank is None:
            rank = self._ranks[cursor] = Rank(cursor, Sent())
        reader.enter(rank)

    @property
    def ranks(self) -> list[Rank]:
        """The ranks (readers at the same position in the log) that have readers."""
        return [rank for rank in self._ranks.values() if rank.readers]

    def has_before(self, position: int) -> bool:
        """Return whether a reader of the lane has not passed all events before a log position."""
        return any(
            rank.cursor.position < position and self._relay.goes_on_after(rank.cursor)
            for rank in self._ranks.values()
            if rank.readers
        )

    def is_held_back(self) -> bool:
        """Return whether the lane must wait before it sends more of texts it has begun."""
        return self._pace.holds_back and self._held_back_s() > 0

    def hold_back(self) -> None:
        """Block until more of the texts may be sent, or until `hurry` ends the wait."""
        if (left_s := self._held_back_s()) > 0:
            self._hurry = Event()
            self._hurry.wait(left_s)
            self._hurry = None

    def hurry(self) -> None:
        """End `hold_back` if an event waits now that need not wait (not more of a text)."""
        if self._hurry is not None and not self.is_held_back():
            self._hurry.set()

    def flush(self, turn: TimeSlice) -> None:
        """Write the next events of each rank to its readers, without those that the view rejects.

        Other greenlets run whenever the time slice `turn` is over.
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
        """Return the next step that has bytes to write; None if no event is admitted yet.

        Before that, the rank moves past the events that the view does not admit.
        """
        cursor = self._relay.passed(rank.cursor, self.view)
        step = self._relay.step(cursor, self.view, self._pace.holds_back)
        while step is not None and not step.pieces and not step.ends:
            cursor = step.cursor
            step = self._relay.step(cursor, self.view, self._pace.holds_back)
        if cursor != rank.cursor:
            self._move(rank, cursor)
        return step

    def _move(self, rank: Rank, cursor: Cursor) -> None:
        """Move the readers of a rank (readers at one position) to another position."""
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
        """For each reader of a rank (readers at one position), let a greenlet write to it."""
        for reader in list(rank.readers):
            if reader.outlet is not None:
                reader.outlet.work(step=step)

    def _write(self, rank: Rank, step: Step, turn: TimeSlice) -> None:
        data = in_chunks(step.pieces) if self._chunked else b"".join(step.pieces)
        there, is_new = self._after(rank, step)
        written, writes_a_look = 0, _writes_a_look(len(data))
        for number, reader in enumerate(list(rank.readers), start=1):
            if reader.rank is not rank or reader.outlet is None:
                continue  # the reader left the rank while other greenlets ran
            left = reader.outlet.send(data)
            if reader.rank is not rank:
                continue  # `send` has noticed that the peer has left
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
        """Return the rank (readers at one position) after a step, and whether the rank is new."""
        cursor = step.cursor.evened()
        there = self._ranks.get(cursor)
        if there is not None:
            return there, False
        sent = copy(rank.sent)
        sent.step(step)
        there = self._ranks[cursor] = Rank(cursor, sent)
        return there, True

    def _held_back_s(self) -> float:
        """Return how long (s) a flush must wait; 0 if more than deltas of known texts waits."""
        held_s = self._pace.held_back_s(time.monotonic())
        return held_s if held_s > 0 and self._only_further_deltas() else 0.0

    def _only_further_deltas(self) -> bool:
        """Return whether the readers lack only deltas of texts whose beginning was sent.

        Events that were looked at in an earlier call are not looked at again.
        """
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
    """Return after how many writes of `size` bytes to check the clock, since checks cost time."""
    return max(1, min(_MOST_WRITES_A_LOOK, _BYTES_A_LOOK // size))
