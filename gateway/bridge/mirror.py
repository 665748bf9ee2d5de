"""A copy of what one source has published, from which the bridge answers the workers."""

from __future__ import annotations

from collections.abc import Iterable

from bus.envelope import Envelope
from bus.ledger import Ledger
from bus.ledger.ledger import MAX_BYTES
from bus.ledger.snapshot import Snapshot
from bus.log import Log

_JOURNAL_BYTES = 32 * 1024 * 1024


class Mirror:
    """The journal and the ledger of one source, for its current epoch; no I/O.

    Args:
        snapshot: the stored snapshot of the source.
        envelopes: the events of the snapshot's epoch that Redis still has, in order.

    Attributes:
        source: the name of the source.
        epoch: the current epoch.
        seq: of the last event.
        journal: the latest events, each at the position of its seq.
        ledger: the state after all events.
    """

    def __init__(self, snapshot: Snapshot, envelopes: Iterable[Envelope]) -> None:
        self.source = snapshot.source
        self.epoch = snapshot.epoch
        self.ledger: Ledger = snapshot.ledger(MAX_BYTES)
        self.seq = snapshot.seq
        self.journal = Log(max_bytes=_JOURNAL_BYTES, start=snapshot.seq + 1)
        self._begin(list(envelopes))

    @property
    def turns(self) -> int:
        """How many sessions are at work."""
        return sum(session.live for session in self.ledger.sessions.values())

    def flush(self) -> None:
        """Do nothing: no event waits here, as events do in a publisher."""

    def take(self, envelopes: Iterable[Envelope]) -> bool:
        """Take the next events; return False if events are missing before them."""
        new = [envelope for envelope in envelopes if envelope.seq > self.seq]
        if not new:
            return True
        if new[0].seq != self.seq + 1 or new[0].epoch != self.epoch:
            return False
        for envelope in new:
            self.journal.append(envelope)
        self.ledger.note(new)
        self.seq = new[-1].seq
        return True

    def _begin(self, envelopes: list[Envelope]) -> None:
        """Take the events before the snapshot into the journal alone, the later ones as usual."""
        before = list[Envelope]()
        for envelope in reversed(envelopes):
            expected = before[-1].seq - 1 if before else self.seq
            if envelope.seq == expected:
                before.append(envelope)
        if before:
            self.journal = Log(max_bytes=_JOURNAL_BYTES, start=before[-1].seq)
            for envelope in reversed(before):
                self.journal.append(envelope)
        self.take(envelopes)
