"""The publishing end: gives each event its seq and sends events in batches."""

from __future__ import annotations

import time
from collections.abc import Callable

from bus.envelope import Envelope
from bus.epoch import new_epoch
from bus.events import Event
from bus.ledger import Ledger
from bus.log import Log
from bus.transport.codec import Batch, Frame, Heartbeat, encode
from bus.transport.link import FrameSender

BATCH_BYTES = 24 * 1024
BATCH_EVENTS = 256
_JOURNAL_BYTES = 32 * 1024 * 1024


class Publisher:
    """Publishes the events of one source.

    Events that are published before the deferred flush are sent together, in frames of at most
    `BATCH_BYTES`. A single event only waits for the end of the current loop turn.

    Args:
        outlet: sends frames to every subscriber.
        source: id of this processor.
        defer: runs a function at the end of the current loop turn; None: it runs at once.

    Attributes:
        epoch: names this start of the source.
        seq: of the last published event.
        journal: the latest events, each at the position of its seq, for replay.
    """

    def __init__(
        self,
        outlet: FrameSender,
        source: str,
        defer: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.source = source
        self.epoch = new_epoch()
        self.seq = 0
        self.journal = Log(max_bytes=_JOURNAL_BYTES, start=1)
        self._ledger = Ledger()
        self._unfolded: list[Envelope] = []
        self._outlet = outlet
        self._defer = defer
        self._pending: list[Envelope] = []
        self._pending_bytes = 0
        self._closed = False

    def publish(
        self,
        event: Event,
        directory: str | None = None,
        project: str | None = None,
        workspace: str | None = None,
    ) -> Envelope:
        """Give `event` the next seq, and send it."""
        self.seq += 1
        now = time.time_ns()
        envelope = Envelope(
            self.source, self.epoch, self.seq, now, directory, project, workspace, event
        )
        if not self._pending and self._defer is not None:
            self._defer(self.flush)
        self._pending.append(envelope)
        self._pending_bytes += self.journal.append(envelope)
        full = self._pending_bytes >= BATCH_BYTES or len(self._pending) >= BATCH_EVENTS
        if full or self._defer is None:
            self.flush()
        return envelope

    def remember(self, event: Event, directory: str | None, project: str | None) -> None:
        """Add to the ledger the removal of an entity that was published in an earlier epoch."""
        before = Envelope(self.source, "", 0, time.time_ns(), directory, project, None, event)
        self.ledger.note_gone(before)

    @property
    def ledger(self) -> Ledger:
        """The state after all sent events; a gateway that joins late gets it."""
        self._fold()
        return self._ledger

    def flush(self) -> None:
        """Send the published events that wait for the end of the loop turn."""
        pending, size = self._pending, self._pending_bytes
        if pending:
            self._pending, self._pending_bytes = [], 0
            self._unfolded += pending
            if size >= BATCH_BYTES or len(self._unfolded) >= BATCH_EVENTS:
                self._fold()
            self._send(Batch(pending))

    def heartbeat(self) -> None:
        """Send a heartbeat with the last seq."""
        self.flush()
        self._fold()
        self.journal.let_go(time.monotonic())
        self._send(Heartbeat(self.source, self.epoch, self.seq, time.time_ns()))

    def close(self) -> None:
        """Send the published events that wait; events that are published later are not sent."""
        self.flush()
        self._closed = True

    def _fold(self) -> None:
        """Add the sent events to the ledger, many at once: consecutive deltas then cost little."""
        unfolded, self._unfolded = self._unfolded, []
        self._ledger.note(unfolded)

    def _send(self, frame: Frame) -> None:
        if not self._closed:
            self._outlet.send(encode(frame))
