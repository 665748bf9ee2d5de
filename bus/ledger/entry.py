"""One entity of the ledger, and the event that holds its current value."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import chain, islice, takewhile
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from bus import json
from bus.depth import EVENT_LEVELS, too_deep
from bus.envelope import Envelope
from bus.events import Opaque, at, type_of

Json = dict[str, Any]

ENTRY_BYTES = 1500  # what an entry takes in memory beside its text
_MOST_PIECES = 4096
_LONG = 64 * 1024  # characters: a text of this length is not copied to be joined with others
# The mark is random, so no event contains it.
_MARK = secrets.token_hex(16)


class Upsert(Struct, frozen=True, gc=False):
    """The present value of an entity; its JSON is only made when it is read.

    Attributes:
        snapshot: the last event that contained the whole entity.
        last_id: id of the last event that changed the entity.
        grown: for each field, the list of texts appended since, and how many of them belong to
            this upsert.
    """

    snapshot: Envelope
    last_id: str | None = None
    grown: tuple[tuple[str, list[str], int], ...] = ()

    def envelope(self) -> Envelope:
        """Return the event to send."""
        event = self.snapshot.event
        assert isinstance(event, Opaque)
        if self.grown:
            event = self._whole(event)
        if name := type_of(event.type).upsert_as:
            event = _as_upsert(event, name)
        changed = event is not self.snapshot.event
        return replace(self.snapshot, event=event) if changed else self.snapshot

    @property
    def is_long(self) -> bool:
        """Whether the appended text is so long that the JSON should be made in pieces."""
        return sum(sum(map(len, pieces)) for _, pieces, _ in self.grown) > _LONG

    def json_pieces(self) -> Iterator[bytes]:
        """Yield the JSON of the event to send; appended text is encoded piece by piece."""
        event = self.snapshot.event
        assert isinstance(event, Opaque)
        wire, entity = _opened(event)
        field, pieces, count = self.grown[0]
        before = entity.get(field, "")
        usual = len(self.grown) == 1 and wire and isinstance(before, str)
        if not usual or type_of(event.type).upsert_as:
            yield self.envelope().event.json()
            return
        entity[field] = _MARK
        if self.last_id is not None:
            wire["id"] = self.last_id
        head, _, tail = json.encode(wire).partition(_MARK.encode())
        yield head
        for text in _gathered(chain([before], islice(pieces, count))):
            yield json.encode(text)[1:-1]
        yield tail

    def texts(self) -> dict[str, str]:
        """Return the appended text of each field."""
        return {field: "".join(pieces[:count]) for field, pieces, count in self.grown}

    def _whole(self, event: Opaque) -> Opaque:
        """Insert the appended text into the snapshot, and change nothing else."""
        wire, entity = _opened(event)
        if not wire:
            return event
        for field, text in self.texts().items():
            before = entity.get(field, "")
            if isinstance(before, str):
                entity[field] = before + text
        if self.last_id is not None:
            wire["id"] = self.last_id
        return replace(event, id=wire.get("id"), payload=json.encode(wire))


class Entry:
    """An entity.

    Attributes:
        snapshot: the last event that contained the whole entity.
        last: the last event that changed the entity, possibly a delta.
        born: seq of the entity's first event; 0 if this event may be before this epoch.
    """

    __slots__ = ("_grown", "_grown_size", "_upsert", "born", "last", "snapshot")

    def __init__(self, snapshot: Envelope, born: int) -> None:
        self.snapshot = snapshot
        self.last = snapshot
        self.born = born
        self._grown: dict[str, list[str]] | None = None
        self._grown_size = 0
        self._upsert: Upsert | None = None

    def seq(self, epoch: str) -> int:
        """Return the seq of the last change, 0 if the change was before `epoch`."""
        return self.last.seq if self.last.epoch == epoch else 0

    @property
    def may_grow(self) -> bool:
        """Whether text can be inserted into the snapshot: not if it is nested too deep."""
        if self._grown is not None:
            return True
        event = self.snapshot.event
        return not (isinstance(event, Opaque) and too_deep(event.payload, EVENT_LEVELS))

    def grow(self, envelope: Envelope, field: str, texts: list[str]) -> int:
        """Append texts to a field; return by how many bytes the size has grown."""
        self.last, self._upsert = envelope, None
        size = sum(map(len, texts))
        self._grown_size += size
        grown = self._grown = self._grown or {}
        pieces = grown.setdefault(field, [])
        if len(pieces) >= _MOST_PIECES:
            # This must be a new list, since earlier upserts still read the old one. The two lists
            # share long texts, or each upsert would hold a copy of all text.
            long = list(takewhile(lambda text: len(text) >= _LONG, pieces))
            pieces = grown[field] = [*long, "".join(pieces[len(long) :])]
        pieces += texts
        return size

    def upsert(self) -> Upsert:
        """Return the upsert of the present value; readers that get the same upsert share it."""
        if self._upsert is None:
            fields = (self._grown or {}).items()
            grown = tuple((field, pieces, len(pieces)) for field, pieces in fields)
            self._upsert = Upsert(self.snapshot, self.last.event.id if grown else None, grown)
        return self._upsert

    @property
    def provisional(self) -> bool:
        """Whether a later event will replace the snapshot."""
        event = self.snapshot.event
        return isinstance(event, Opaque) and event.provisional

    @property
    def size(self) -> int:
        """Bytes that the entry takes in memory, nearly exact."""
        return ENTRY_BYTES + self.snapshot.event.size + self._grown_size


def _gathered(texts: Iterator[str]) -> Iterator[str]:
    """Join short texts and split long ones, so that each piece is worth encoding."""
    gathered: list[str] = []
    length = 0
    for text in texts:
        for start in range(0, len(text), _LONG):
            gathered.append(text[start : start + _LONG])
            length += len(gathered[-1])
            if length >= _LONG:
                yield "".join(gathered)
                gathered, length = [], 0
    if gathered:
        yield "".join(gathered)


def _opened(event: Opaque) -> tuple[Json, Json]:
    """Return a decoded event, and the entity inside it; both empty if there is no entity."""
    try:
        wire = json.decode(event.payload)
        entity = at(wire["properties"], type_of(event.type).value)
    except (ValueError, KeyError, TypeError):
        return {}, {}
    return (wire, entity) if isinstance(entity, dict) else ({}, {})


def _as_upsert(event: Opaque, name: str) -> Opaque:
    """Turn an event that creates an entity into an upsert.

    A reader that gets the event may already know the entity.
    """
    try:
        wire = {**json.decode(event.payload), "type": name}
    except (ValueError, TypeError):
        return event  # nested too deep, or not JSON
    return replace(event, type=name, payload=json.encode(wire))
