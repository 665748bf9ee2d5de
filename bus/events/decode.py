"""How the JSON of an event, or its typed properties, becomes the form that travels.

Theory of operation. A delta is decoded whole and strictly. Of any other event only the subject
is read: its session, message, part or request, and whether the part still grows. What msgspec
refuses (a delta with a field nobody knows, text with half a surrogate pair, which JavaScript can
send) travels as `Opaque`: it passes untouched, as a barrier if need be, and is never merged.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from bus.events.catalogue import (
    MessageUpdated,
    PartDelta,
    PermissionAsked,
    Properties,
    QuestionAsked,
)
from bus.events.event import Delta, Event, Opaque
from bus.events.policy import Policy, policy_of


class MalformedEvent(ValueError):
    """The bytes are no event: not JSON, or not an object with a ``type``."""


class _Time(Struct):
    end: Any = None


class _ToolStatus(Struct):
    status: str = ""


class _Entity(Struct):
    """The fields of a session, message or part that say what an event is about."""

    id: str | None = None
    type: str | None = None
    sessionID: str | None = None
    messageID: Any = None
    time: _Time | None = None
    state: _ToolStatus | None = None


class _Subject(Struct):
    """What the properties of an event of any type may say about its subject."""

    sessionID: str | None = None
    partID: str | None = None
    messageID: Any = None
    requestID: Any = None
    id: Any = None
    info: _Entity | None = None
    part: _Entity | None = None
    delta: Any = None


class _Wire(Struct):
    type: str
    id: Any = None
    properties: _Subject = field(default_factory=_Subject)


class _DeltaProperties(Struct, forbid_unknown_fields=True, gc=False):
    sessionID: str
    messageID: str
    partID: str
    field: str
    delta: str


class DeltaWire(Struct, forbid_unknown_fields=True, gc=False):
    """A delta on the wire in its usual form, without any field that is not known."""

    type: Literal["message.part.delta"]
    properties: _DeltaProperties
    id: str | None = None

    def event(self) -> Delta:
        """Return the form that travels."""
        p = self.properties
        return Delta(self.id, p.sessionID, p.messageID, p.partID, p.field, p.delta)


_REQUESTS = frozenset({PermissionAsked.type, QuestionAsked.type})
_decode_wire = msgspec.json.Decoder(_Wire).decode
_decode_delta = msgspec.json.Decoder(DeltaWire).decode
_encode = msgspec.json.Encoder().encode


def event_of(properties: Properties, event_id: str) -> Event:
    """Turn typed properties into the event that travels, with the id ``evt_…`` on the wire."""
    if isinstance(properties, PartDelta):
        p = properties
        return Delta(event_id, p.sessionID, p.messageID, p.partID, p.field, p.delta)
    wire = {"id": event_id, "type": properties.type, "properties": properties}
    return from_json(_encode(wire))


def from_json(data: bytes, payload: bytes | None = None) -> Event:
    """Turn the JSON of one event, ``{"id"?, "type", "properties"}``, into the form that travels.

    Args:
        data: the event.
        payload: the event as it is to travel, where `data` leaves out what is nested too deep.

    Raises:
        MalformedEvent: `data` is not JSON, or not an object with a ``type``.
    """
    payload = data if payload is None else payload
    try:
        wire = _decode_wire(data)
        if wire.type == PartDelta.type:
            return _decode_delta(data).event()
        return _opaque(wire, payload)
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


def from_value(event: Any, payload: bytes) -> Opaque:
    """Turn an event that is no usual delta, and has been decoded, into the form that travels.

    Args:
        event: what its JSON says.
        payload: its JSON.

    Raises:
        MalformedEvent: `event` is not an object with a ``type``.
    """
    try:
        wire = _Wire(msgspec.convert(event["type"], str), event.get("id"))
        wire.type.encode()
    except (ValueError, TypeError, KeyError, AttributeError, msgspec.MsgspecError) as error:
        raise MalformedEvent(f"not an event: {error}") from error
    # An unknown type may use these names for something else.
    with contextlib.suppress(msgspec.ValidationError, UnicodeEncodeError):
        wire.properties = msgspec.convert(event.get("properties"), _Subject)
    return _opaque(wire, payload)


def _opaque(wire: _Wire, payload: bytes) -> Opaque:
    subject = wire.properties
    entity = subject.part or subject.info or _Entity()
    session = subject.sessionID or entity.sessionID
    if session is None and wire.type.startswith("session."):
        session = entity.id  # 1.2: session events name their session only in `info`
    latest = policy_of(wire.type) is Policy.LATEST
    snapshot = latest and subject.part is not None
    message = subject.messageID or entity.messageID
    if wire.type == MessageUpdated.type:
        message = entity.id
    part = subject.partID
    if latest:
        part = entity.id if snapshot else None  # without a part it is a snapshot of none
    request = subject.id if wire.type in _REQUESTS else subject.requestID
    return Opaque(
        type=wire.type,
        id=_name(wire.id),
        sessionID=_name(session),
        messageID=_name(message),
        partID=_name(part),
        requestID=_name(request),
        provisional=snapshot and subject.delta is None and _grows(entity),
        payload=_one_line(payload),
    )


def _name(value: Any) -> str | None:
    """Return an id as it can travel; one that is no Unicode is nobody's."""
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def _grows(part: _Entity) -> bool:
    if part.type == "tool":
        return part.state is not None and part.state.status in ("pending", "running")
    return part.type in ("text", "reasoning") and (part.time is None or part.time.end is None)


def _one_line(payload: bytes) -> bytes:
    """Take out the line breaks between JSON tokens: a ``data:`` line cannot hold them."""
    return payload.replace(b"\r", b" ").replace(b"\n", b" ")
