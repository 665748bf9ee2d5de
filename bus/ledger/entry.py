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
_LONG = 64 * 1024  # characters
# A secret, so it stands in no event.
_MARK = secrets.token_hex(16)


class Upsert(Struct, frozen=True, gc=False):
    """What an entity is at one moment; it costs next to nothing until it is asked for.

    Attributes:
        snapshot: the last event that held the whole entity.
        last_id: id of the last event that changed it.
        grown: by field, the pieces of text that were appended since, and how many of them count.
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
        """Whether so much text was appended that its JSON should not be held whole."""
        return sum(sum(map(len, pieces)) for _, pieces, _ in self.grown) > _LONG

    def json_pieces(self) -> Iterator[bytes]:
        """Yield the JSON of the event to send; appended text is encoded as it is asked for."""
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
        """Return what was appended, by field."""
        return {field: "".join(pieces[:count]) for field, pieces, count in self.grown}

    def _whole(self, event: Opaque) -> Opaque:
        """Put the text that has grown into the snapshot; nothing else of it changes."""
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
        snapshot: the last event that held the whole entity.
        last: the last event that changed it, a delta perhaps.
        born: seq at which it was first heard of; 0 if that was before this epoch.
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
        """Return the seq of its last change, 0 if that was before `epoch`."""
        return self.last.seq if self.last.epoch == epoch else 0

    @property
    def may_grow(self) -> bool:
        """Whether text can be put into the event; it cannot where that is nested too deep."""
        if self._grown is not None:
            return True
        event = self.snapshot.event
        return not (isinstance(event, Opaque) and too_deep(event.payload, EVENT_LEVELS))

    def grow(self, envelope: Envelope, field: str, texts: list[str]) -> int:
        """Append to one of its fields; return by how much its size has grown."""
        self.last, self._upsert = envelope, None
        size = sum(map(len, texts))
        self._grown_size += size
        grown = self._grown = self._grown or {}
        pieces = grown.setdefault(field, [])
        if len(pieces) >= _MOST_PIECES:
            # A new list: upserts that were made before go on reading the old one. They share
            # what is long, or each of them would hold all of the text.
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
        """Whether another event about it is to come."""
        event = self.snapshot.event
        return isinstance(event, Opaque) and event.provisional

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, all but exactly."""
        return ENTRY_BYTES + self.snapshot.event.size + self._grown_size


def _gathered(texts: Iterator[str]) -> Iterator[str]:
    """Yield the same text in lengths that are worth encoding, and none much longer."""
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
    """Return an event as JSON and the entity in it, both empty if there is none in it."""
    try:
        wire = json.decode(event.payload)
        entity = at(wire["properties"], type_of(event.type).value)
    except (ValueError, KeyError, TypeError):
        return {}, {}
    return (wire, entity) if isinstance(entity, dict) else ({}, {})


def _as_upsert(event: Opaque, name: str) -> Opaque:
    """Turn the creation of an entity into what the entity is: readers may know the entity."""
    try:
        wire = {**json.decode(event.payload), "type": name}
    except (ValueError, TypeError):
        return event  # nested too deep, or no JSON at all
    return replace(event, type=name, payload=json.encode(wire))
