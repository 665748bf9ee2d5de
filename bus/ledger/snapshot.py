"""A whole ledger as msgpack, for a worker that joins (the ZeroMQ guide's Clone pattern)."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from bus import json
from bus.envelope import Envelope
from bus.ledger.entry import Entry
from bus.ledger.ledger import Ledger
from bus.ledger.slot import Slot
from bus.ledger.tombstones import Tombstone
from bus.malformed import MALFORMED


class MalformedSnapshot(ValueError):
    """The bytes are not a snapshot."""


class _Entry(Struct, frozen=True, array_like=True):
    """An entry; ``grown`` is a JSON object of text by field, possibly with half surrogate pairs.

    ``last`` is the event that changed the entity last, None if that is ``snapshot`` itself.
    """

    session: str
    kind: str
    name: str
    born: int
    snapshot: Envelope
    last: Envelope | None
    grown: bytes


class _Stone(Struct, frozen=True, array_like=True):
    session: str
    kind: str
    name: str
    stone: Tombstone


class Snapshot(Struct, frozen=True, array_like=True):
    """The content of a ledger at one moment.

    Attributes:
        source: id of the processor.
        epoch: of the source.
        seq: of the last event that the ledger took.
        floor: highest seq of any entity that the ledger has dropped.
        tail: seq before the oldest event in the source's journal.
        whole: ids of the sessions whose events are all in the ledger, from their creation on.
        directories: of all events of the source so far.
    """

    source: str
    epoch: str
    seq: int
    floor: int
    tail: int
    entries: list[_Entry]
    stones: list[_Stone]
    whole: list[str]
    directories: list[str | None]

    def ledger(self, max_bytes: int) -> Ledger:
        """Return a ledger with this content."""
        ledger = Ledger(max_bytes)
        ledger.epoch, ledger.seq, ledger.floor = self.epoch, self.seq, self.floor
        ledger.directories.update(self.directories)
        for one in self.entries:
            ledger.put(one.session, (one.kind, one.name), _restored(one))
        for session in self.whole:
            ledger.sessions[session].whole = True
        for stone in self.stones:
            ledger.tombstones.put(stone.session, (stone.kind, stone.name), stone.stone)
        return ledger


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode


def encode(ledger: Ledger, source: str, epoch: str, seq: int, tail: int) -> bytes:
    """Return the snapshot of `ledger`, taken when its source has published event `seq`."""
    entries = [
        _packed(session_id, slot, entry)
        for session_id, session in ledger.sessions.items()
        for slot, entry in session.entries.items()
    ]
    stones = [_Stone(session, *slot, stone) for (session, slot), stone in ledger.tombstones]
    sessions = ledger.sessions.items()
    whole = [name for name, session in sessions if session.whole and session.entries]
    directories = list(ledger.directories)
    return _encode(
        Snapshot(source, epoch, seq, ledger.floor, tail, entries, stones, whole, directories)
    )


def decode(data: bytes) -> Snapshot:
    """Decode a snapshot.

    Raises:
        MalformedSnapshot: `data` is not a snapshot.
    """
    try:
        return _decode(data)
    except MALFORMED as error:
        raise MalformedSnapshot(f"malformed snapshot of {len(data)} bytes: {error}") from error


def _packed(session: str, slot: Slot, entry: Entry) -> _Entry:
    last = None if entry.last is entry.snapshot else entry.last
    grown = json.encode(entry.upsert().texts())
    return _Entry(session, *slot, entry.born, entry.snapshot, last, grown)


def _restored(one: _Entry) -> Entry:
    entry = Entry(one.snapshot, one.born)
    for field, text in json.decode(one.grown).items():
        entry.grow(one.last or one.snapshot, field, [text])
    return entry
