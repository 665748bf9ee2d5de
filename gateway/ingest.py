"""Appends the events from the bus to the log."""

from __future__ import annotations

import time

from bus.envelope import Envelope
from bus.process.fairness import INGEST_SLICE_S, TimeSlice, let_turn
from bus.transport import clone, replay
from bus.transport.gap_repair import (
    Answer,
    Deliver,
    Joined,
    Missing,
    NeedSnapshot,
    Outcome,
    Question,
    Replayed,
    Unanswered,
)
from bus.transport.replay import CannotRepair, NoProcessor
from bus.transport.requester import Requester
from bus.transport.subscriber import Subscriber
from gateway.streams.readers import Readers


class Ingest:
    """Moves the events of one bus into the log.

    Args:
        bus: names the bus in log lines.
        subscriber: receives from the bus.
        requester: asks the processor of the bus for missing events.
        readers: get the events.
    """

    def __init__(
        self, bus: str, subscriber: Subscriber, requester: Requester, readers: Readers
    ) -> None:
        self._bus = bus
        self._subscriber = subscriber
        self._requester = requester
        self._readers = readers

    def run(self) -> None:
        """Receive for ever, in a greenlet of its own.

        In a storm there is always a next frame. So the loop is released at the end of every
        segment of the log, and each reader whose socket accepts bytes is sent all events up to
        there before more events are received. So a reader that can keep up never falls behind,
        however many readers there are. Meanwhile the bus holds the events.
        """
        readers, relay = self._readers, self._readers.relay
        cuts, turn = 0, TimeSlice(INGEST_SLICE_S)
        receive = self._subscriber.receive
        self.settle(NeedSnapshot())
        while True:
            outcome = receive()
            # This saves a call for nearly every frame: usually an event comes alone.
            envelopes = outcome.envelopes if isinstance(outcome, Deliver) else self.settle(outcome)
            if envelopes:
                relay.append(envelopes)
                readers.received += len(envelopes)
            else:  # a heartbeat, once a second
                relay.let_go(time.monotonic())
            if relay.log.cuts != cuts or turn.is_over:
                cuts = relay.log.cuts
                readers.lanes.log_has_grown()
                let_turn()

    def settle(self, outcome: Outcome) -> list[Envelope]:
        """Ask the questions of an outcome, and return the events that may then be delivered."""
        while not isinstance(outcome, Deliver):
            if not isinstance(outcome, Missing | NeedSnapshot):
                return []
            outcome = self._subscriber.answer(self._ask(outcome))
        return outcome.envelopes

    def join(self) -> Joined:
        """Load a snapshot of the processor's state.

        Raises:
            CannotRepair: the processor sends no snapshot.
        """
        cloned = clone.fetch(self._requester)
        self._readers.relay.load(cloned)
        self._readers.lanes.log_has_grown()
        snapshot = cloned.snapshot
        return Joined(snapshot.source, snapshot.epoch, snapshot.seq)

    def _ask(self, question: Question) -> Answer:
        self._readers.lanes.log_has_grown()  # the readers must not wait for the answer
        try:
            if isinstance(question, Missing):
                gap = question.epoch, question.after, question.upto
                return Replayed(replay.fetch(self._requester, *gap))
            return self.join()
        except CannotRepair as error:
            return Unanswered(f"bus {self._bus}: {error}", isinstance(error, NoProcessor))
