"""Decodes the JSON of an event, or its typed properties, into a `Delta` or an `Opaque`.

Theory of operation. An event of a type with the policy ``APPEND`` is decoded strictly and
completely. For any other event, only the values at the paths in its type's declaration are read.
An event of an ``APPEND`` type that msgspec refuses becomes an `Opaque`: it passes unchanged and is
never merged. Examples are a delta with an unknown field, and text with half a surrogate pair,
which JavaScript can send.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Raw, Struct

from bus import json as lenient
from bus.events.catalogue import PartDelta, Properties
from bus.events.event import Delta, Event, Opaque
from bus.events.event_type import EventType, as_id, id_at, type_of
from bus.events.policy import Policy


class MalformedEvent(ValueError):
    """The bytes are not an event: not JSON, or not an object with a ``type``."""


class _Wire(Struct):
    type: str
    id: Any = None
    properties: Raw = Raw(b"{}")


class DeltaWire(
    Struct, tag_field="type", tag=PartDelta.type, forbid_unknown_fields=True, gc=False
):
    """A ``message.part.delta`` in its usual form: nearly all events, so it has a fast path."""

    properties: PartDelta
    id: str | None = None

    def event(self) -> Delta:
        """Return the `Delta`."""
        p = self.properties
        return Delta(self.id, p.sessionID, p.messageID, p.partID, p.field, p.delta)


_decode_wire = msgspec.json.Decoder(_Wire).decode
_decode_delta = msgspec.json.Decoder(DeltaWire).decode
_encode = msgspec.json.Encoder().encode


def event_of(properties: Properties, event_id: str) -> Event:
    """Return the event with these typed properties; `event_id` is its id ``evt_…`` on the wire."""
    wire = {"id": event_id, "type": properties.type, "properties": properties}
    return from_json(_encode(wire))


def from_json(data: bytes, payload: bytes | None = None) -> Event:
    """Decode the JSON of one event, ``{"id"?, "type", "properties"}``.

    Args:
        data: the JSON to decode.
        payload: the JSON to pass on, if `data` has placeholders for values that are nested too
            deep.

    Raises:
        MalformedEvent: `data` is not JSON, or not an object with a ``type``.
    """
    payload = data if payload is None else payload
    try:
        wire = _decode_wire(data)
        kind = type_of(wire.type)
        if wire.type == PartDelta.type:
            return _decode_delta(data).event()
        if kind.policy is not Policy.APPEND:
            return _opaque(kind, wire.type, wire.id, kind.read(wire.properties), payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    except RecursionError as error:
        raise MalformedEvent("not an event: it is nested too deep") from error
    try:
        return from_value(json.loads(data.decode()), payload)
    except ValueError as error:
        raise MalformedEvent(f"not an event: {error}") from error
    except RecursionError as error:
        raise MalformedEvent("not an event: it is nested too deep") from error


def from_value(event: Any, payload: bytes) -> Event:
    """Return the event for JSON that is already decoded.

    Args:
        event: the decoded JSON.
        payload: the JSON to pass on.

    Raises:
        MalformedEvent: `event` is not an object with a ``type``.
    """
    name = id_at(event, "type")
    if name is None:
        raise MalformedEvent("not an event: not an object with a type")
    kind = type_of(name)
    delta = _delta(kind, event) if kind.policy is Policy.APPEND else None
    return delta or _opaque(kind, name, event.get("id"), event.get("properties"), payload)


def growth_of(event: Opaque) -> tuple[str, list[str]] | None:
    """Return the field and the texts of a delta that travels as an `Opaque`, None if unknown."""
    try:
        properties = lenient.decode(event.payload)["properties"]
        field, text = properties["field"], properties["delta"]
    except (ValueError, KeyError, TypeError):
        return None
    return (field, [text]) if isinstance(field, str) and isinstance(text, str) else None


def _delta(kind: EventType, event: dict[str, Any]) -> Delta | None:
    """Return the `Delta` of an event, None if properties are missing or unknown."""
    names = "sessionID", kind.owner, kind.id, "field", "delta"
    properties, event_id = event.get("properties"), id_at(event, "id")
    usual = {"type", "properties"} if event_id is None else {"id", "type", "properties"}
    if event.keys() != usual or not isinstance(properties, dict):
        return None
    found = [id_at(properties, name) if name else "" for name in names]
    texts = [text for text in found if text is not None]
    if properties.keys() != {*names} - {""} or len(texts) < len(names):
        return None
    session, owner, entity, field, text = texts
    other_type = None if kind.name == PartDelta.type else kind.name
    return Delta(event_id, session, owner, entity, field, text, other_type)


def _opaque(kind: EventType, name: str, event_id: Any, properties: Any, payload: bytes) -> Opaque:
    session = kind.session_in(properties)
    entity = kind.entity_in(properties, session)
    return Opaque(
        type=name,
        id=as_id(event_id),
        sessionID=session,
        entity=entity,
        owner=id_at(properties, kind.owner) if kind.owner else None,
        provisional=entity is not None and kind.is_provisional(properties),
        payload=_one_line(payload),
    )


def _one_line(payload: bytes) -> bytes:
    """Remove the line breaks between JSON tokens: a ``data:`` line of SSE cannot contain them."""
    return payload.replace(b"\r", b" ").replace(b"\n", b" ")
