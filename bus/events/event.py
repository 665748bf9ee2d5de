"""The two forms in which an event travels.

A relay merges deltas and hands on everything else. So a delta is fully typed (`Delta`), and any
other event keeps its JSON as it came (`Opaque.payload`) beside the few fields that routing,
coalescing and the ledger read: unknown types, unknown fields of known types, and the order and
spelling of their keys pass through untouched.
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
        id: of the event on the wire, None where the server gives none (opencode 1.2).
        sessionID: the session of the entity.
        owner: id of the entity that the entity belongs to: the message of a part.
        entity: id of the entity.
        field: of the entity.
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
        """Bytes of its text."""
        text = self.delta
        return len(text) if text.isascii() else len(text.encode())

    def json(self) -> bytes:
        """Return the event as it stands in a ``data:`` line of `/event`."""
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
    """Any other event: its JSON, untouched, and what routing and coalescing need to know.

    Attributes:
        type: on the wire.
        id: of the event on the wire.
        sessionID: the session that the event is about.
        entity: id of the entity that the event is about, ``""`` where a session has but one of
            the kind.
        owner: id of the entity that the entity belongs to: the message of a part.
        provisional: a later event about the entity will replace this one.
        payload: the event.
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
        """Bytes of its text."""
        return len(self.payload)

    def json(self) -> bytes:
        """Return the event as it stands in a ``data:`` line of `/event`."""
        return self.payload


Event = Delta | Opaque

_encode = msgspec.json.Encoder().encode
