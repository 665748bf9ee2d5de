"""Both ends of the ZeroMQ guide's Clone pattern: first a snapshot of the state, then later events.

The subscriber already receives the source's events when it asks for the snapshot, so no event is
lost between the two. With the snapshot come the earlier events that are still in the journal. So a
worker that joins can resume readers that another worker has served before.
"""

from __future__ import annotations

from msgspec import Struct

from bus.answers import CommandFailed
from bus.commands import SnapshotGet
from bus.envelope import Envelope
from bus.ledger import snapshot
from bus.ledger.snapshot import MalformedSnapshot, Snapshot
from bus.transport import replay
from bus.transport.history import SourceHistory
from bus.transport.replay import CannotRepair, NoProcessor
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester


class Cloned(Struct, frozen=True):
    """What a worker loads from a processor before the worker delivers its events.

    Attributes:
        snapshot: of the source's ledger.
        journal: the events right before the snapshot, in order and without a gap; possibly empty.
    """

    snapshot: Snapshot
    journal: list[Envelope]


def answer(history: SourceHistory) -> bytes:
    """Return a snapshot of the state after all events of `history`."""
    history.flush()
    tail = history.journal.tail - 1
    return snapshot.encode(history.ledger, history.source, history.epoch, history.seq, tail)


def fetch(requester: Requester, source: str | None = None) -> Cloned:
    """Fetch the snapshot and the journal of a source; None: of any source of the bus.

    Raises:
        CannotRepair: the processor sends no snapshot.
    """
    try:
        found = snapshot.decode(requester.insist(SnapshotGet(source)).body)
    except ProcessorGone as error:
        raise NoProcessor(str(error)) from error
    except (CommandFailed, DeadlineExceeded, MalformedSnapshot) as error:
        raise CannotRepair(str(error)) from error
    return Cloned(found, _journal(requester, found))


def _journal(requester: Requester, found: Snapshot) -> list[Envelope]:
    """Fetch the journal's events; empty if a storm has already pushed some of them out."""
    try:
        return replay.fetch(requester, found.epoch, found.tail, found.seq)
    except CannotRepair:
        return []
