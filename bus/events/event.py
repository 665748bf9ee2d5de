"""The two forms in which an event travels.

A relay merges deltas and passes on all other events. So a delta is fully typed (`Delta`). Any
other event keeps its original JSON (`Opaque.payload`), beside the few fields that routing,
coalescing and the ledger read. So unknown types and unknown fields pass unchanged, and so do the
order and the spelling of all keys.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from bus.events.catalogue import PART, PartDelta
from bus.events.event_type import type_of


class Delta(Struct, frozen=True, array_like=True, gc=False, tag_field="form", tag=1):
    """Text to append to a field of an entity, which is nearly always a part.

    Attributes:
        id: of the event on the wire, None if the server gives none (opencode 1.2).
        sessionID: the session of the entity.
        owner: id of the entity that the entity belongs to; for a part, the message.
        entity: id of the entity.
        field: name of the entity's field.
        delta: the text.
        other_type: the event's type, None for a ``message.part.delta``.
    """

    id: str | None
    sessionID: str
    owner: str
    entity: str
    field: str
    delta: str
    other_type: str | None = None

    @property
    def type(self) -> str:
        """The type on the wire."""
        return self.other_type or PartDelta.type

    @property
    def kind(self) -> str:
        """The kind of the entity."""
        if self.other_type is None:
            return PART.name
        about = type_of(self.other_type).about
        return self.other_type if about is None else about.name

    @property
    def size(self) -> int:
        """Bytes that its text takes."""
        text = self.delta
        return len(text) if text.isascii() else len(text.encode())

    def json(self) -> bytes:
        """Return the event's JSON for a ``data:`` line of `/event`."""
        name, kind = self.type, type_of(self.type)
        wire: dict[str, Any] = {} if self.id is None else {"id": self.id}
        wire["type"] = name
        wire["properties"] = {
            "sessionID": self.sessionID,
            **({kind.owner: self.owner} if kind.owner else {}),
            kind.id: self.entity,
            "field": self.field,
            "delta": self.delta,
        }
        return _encode(wire)


class Opaque(Struct, frozen=True, array_like=True, gc=False, tag_field="form", tag=2):
    """Any other event: its unchanged JSON, and the fields that routing and coalescing read.

    Attributes:
        type: on the wire.
        id: of the event on the wire.
        sessionID: the session that the event is about.
        entity: id of the entity that the event is about; ``""`` if a session has only one entity
            of this kind.
        owner: id of the entity that the entity belongs to; for a part, the message.
        provisional: a later event about the entity will replace this one.
        payload: the event's JSON.
    """

    type: str
    id: str | None
    sessionID: str | None
    entity: str | None
    owner: str | None
    provisional: bool
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes that its JSON takes."""
        return len(self.payload)

    def json(self) -> bytes:
        """Return the event's JSON for a ``data:`` line of `/event`."""
        return self.payload


Event = Delta | Opaque

_encode = msgspec.json.Encoder().encode
