"""Both ends of a replay: the source answers from its journal, the subscriber fetches a gap."""

from __future__ import annotations

from bus.answers import CommandFailed
from bus.commands import Replay
from bus.envelope import Envelope
from bus.log import FellOff
from bus.transport.codec import Batch, MalformedFrame, decode, encode
from bus.transport.history import SourceHistory
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester

_ANSWER_BYTES = 1024 * 1024


class CannotRepair(Exception):
    """A gap cannot be repaired: its source is gone, or has dropped the missing events."""


class NoProcessor(CannotRepair):
    """No processor answers commands."""


def answer(history: SourceHistory, command: Replay) -> bytes:
    """Return a frame with the events after `command.after`, as many as fit in one answer.

    Raises:
        CommandFailed: the epoch is over, or the journal has dropped some of these events.
    """
    if command.epoch != history.epoch:
        raise CommandFailed(
            "not_found", f"epoch {command.epoch} has ended: this source was restarted"
        )
    journal = history.journal
    if not command.after < journal.head:
        raise CommandFailed("invalid", f"after: event {command.after} is not published yet")
    envelopes: list[Envelope] = []
    position, size = command.after + 1, 0
    try:
        while position < journal.head and size < _ANSWER_BYTES:
            run = journal.run(position)
            envelopes += run.envelopes
            size += sum(envelope.event.size for envelope in run.envelopes)
            position = run.end
    except FellOff as error:
        raise CommandFailed("not_found", str(error)) from error
    return encode(Batch(envelopes))


def fetch(requester: Requester, epoch: str, after: int, upto: int) -> list[Envelope]:
    """Fetch the envelopes after seq `after`, up to and including seq `upto`.

    Raises:
        CannotRepair: the source does not send these envelopes.
    """
    found: list[Envelope] = []
    while after < upto:
        found += _some(requester, Replay(epoch, after))
        after = found[-1].seq
    return [envelope for envelope in found if envelope.seq <= upto]


def _some(requester: Requester, command: Replay) -> list[Envelope]:
    try:
        frame = decode(requester.insist(command).body)
    except (CommandFailed, ProcessorGone, DeadlineExceeded, MalformedFrame) as error:
        raise CannotRepair(str(error)) from error
    envelopes = frame.envelopes if isinstance(frame, Batch) else []
    if not envelopes or envelopes[0].seq != command.after + 1:
        raise CannotRepair(f"the processor's answer does not begin with event {command.after + 1}")
    return envelopes
