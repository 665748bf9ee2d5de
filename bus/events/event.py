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

from bus.events.catalogue import PartDelta


class Delta(Struct, frozen=True, array_like=True, gc=False, tag_field="form", tag=1):
    """Text to append to a field of a part: a ``message.part.delta``.

    ``id`` is the event's id on the wire, None where the server gives none (opencode 1.2).
    """

    id: str | None
    sessionID: str
    messageID: str
    partID: str
    field: str
    delta: str

    @property
    def type(self) -> str:
        """The type on the wire."""
        return PartDelta.type

    @property
    def size(self) -> int:
        """Bytes of its text."""
        text = self.delta
        return len(text) if text.isascii() else len(text.encode())

    def json(self) -> bytes:
        """Return the event as it stands in a ``data:`` line of `/event`."""
        wire: dict[str, Any] = {} if self.id is None else {"id": self.id}
        wire["type"] = PartDelta.type
        wire["properties"] = {
            "sessionID": self.sessionID,
            "messageID": self.messageID,
            "partID": self.partID,
            "field": self.field,
            "delta": self.delta,
        }
        return _encode(wire)


class Opaque(Struct, frozen=True, array_like=True, gc=False, tag_field="form", tag=2):
    """Any other event: its JSON, untouched, and what routing and coalescing need to know.

    ``messageID`` is the message that the event, or its part, is about; ``requestID`` the
    permission or question. ``provisional`` marks a snapshot of a part that another will replace:
    text without an end, or a tool that is not done.
    """

    type: str
    id: str | None
    sessionID: str | None
    messageID: str | None
    partID: str | None
    requestID: str | None
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
