"""Receives the events of a processor from its bus, and appends them to the worker's log."""

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
    """Moves the events of one bus into the log, from which the event streams are sent.

    Args:
        bus: the address of the bus, for log lines.
        subscriber: receives from the bus.
        requester: asks the processor of the bus for missing events.
        readers: all event streams, and the log that they read.
    """

    def __init__(
        self, bus: str, subscriber: Subscriber, requester: Requester, readers: Readers
    ) -> None:
        self._bus = bus
        self._subscriber = subscriber
        self._requester = requester
        self._readers = readers

    def run(self) -> None:
        """Receive for ever; needs a greenlet of its own.

        Under heavy load, the next message is always there already. So this greenlet lets others
        run at the end of every segment of the log, and each reader whose socket accepts bytes is
        sent all events up to there before more events are received. So a reader that reads fast
        enough never falls behind, however many readers there are. Meanwhile ZeroMQ queues the
        events.
        """
        readers, relay = self._readers, self._readers.relay
        cuts, turn = 0, TimeSlice(INGEST_SLICE_S)
        receive = self._subscriber.receive
        self.settle(NeedSnapshot())
        while True:
            outcome = receive()
            # Nearly every outcome is `Deliver`, and then needs no call of `settle`.
            envelopes = outcome.envelopes if isinstance(outcome, Deliver) else self.settle(outcome)
            if envelopes:
                relay.append(envelopes)
                readers.received += len(envelopes)
            else:  # usually the processor's heartbeat, which comes once a second
                relay.let_go(time.monotonic())
            if relay.log.cuts != cuts or turn.is_over:
                cuts = relay.log.cuts
                readers.lanes.log_has_grown()
                let_turn()

    def settle(self, outcome: Outcome) -> list[Envelope]:
        """Ask the processor for missing events; return the events that may be delivered then.

        Args:
            outcome: what came from the bus: events, or a gap that must be repaired first.
        """
        while not isinstance(outcome, Deliver):
            if not isinstance(outcome, Missing | NeedSnapshot):
                return []
            outcome = self._subscriber.answer(self._ask(outcome))
        return outcome.envelopes

    def join(self, source: str | None = None) -> Joined:
        """Replace what this worker knows of a source by a snapshot of its present state.

        Raises:
            CannotRepair: the processor sends no snapshot.
        """
        cloned = clone.fetch(self._requester, source)
        self._readers.relay.load(cloned)
        self._readers.lanes.log_has_grown()
        snapshot = cloned.snapshot
        return Joined(snapshot.source, snapshot.epoch, snapshot.seq)

    def _ask(self, question: Question) -> Answer:
        self._readers.lanes.log_has_grown()  # send what is there before the wait for an answer
        try:
            if isinstance(question, Missing):
                gap = question.epoch, question.after, question.upto
                return Replayed(replay.fetch(self._requester, *gap))
            return self.join(question.source)
        except CannotRepair as error:
            return Unanswered(f"bus {self._bus}: {error}", isinstance(error, NoProcessor))
