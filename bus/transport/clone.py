"""Both ends of the ZeroMQ guide's Clone pattern: a snapshot of the state, then later events.

The subscriber receives the source's events already when it asks for the snapshot, so no event is
lost between the two. With the snapshot come the events before it that the journal still holds: a
worker that joins can then resume exactly the readers that another worker served.
"""

from __future__ import annotations

from msgspec import Struct

from bus.commands import CommandFailed, SnapshotGet
from bus.envelope import Envelope
from bus.ledger import snapshot
from bus.ledger.snapshot import MalformedSnapshot, Snapshot
from bus.transport import replay
from bus.transport.publisher import Publisher
from bus.transport.replay import CannotRepair, NobodyThere
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester


class Cloned(Struct, frozen=True):
    """What a worker joins with.

    Attributes:
        snapshot: what is.
        journal: the events right before it, in order and without a hole; perhaps none.
    """

    snapshot: Snapshot
    journal: list[Envelope]


def answer(publisher: Publisher) -> bytes:
    """Return a snapshot of all that `publisher` has published."""
    publisher.flush()
    tail = publisher.journal.tail - 1
    return snapshot.encode(
        publisher.ledger, publisher.source, publisher.epoch, publisher.seq, tail
    )


def fetch(requester: Requester) -> Cloned:
    """Return what the processor knows.

    Raises:
        CannotRepair: the processor gives no snapshot.
    """
    try:
        found = snapshot.decode(requester.insist(SnapshotGet()).body)
    except ProcessorGone as error:
        raise NobodyThere(str(error)) from error
    except (CommandFailed, DeadlineExceeded, MalformedSnapshot) as error:
        raise CannotRepair(str(error)) from error
    return Cloned(found, _journal(requester, found))


def _journal(requester: Requester, found: Snapshot) -> list[Envelope]:
    """Return what the journal holds; in a storm it may have lost its oldest by now."""
    try:
        return replay.fetch(requester, found.epoch, found.tail, found.seq)
    except CannotRepair:
        return []
