"""Decodes the events and answers of a server into the types of `acp_client.protocol.wire`."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from acp_client.protocol.shapes import learned
from acp_client.protocol.wire import Delta, Event
from bus import depth
from bus.events import type_of
from bus.json import well_formed

_T = TypeVar("_T")


class _Frame(Struct):
    """The data of a server-sent event: `/global/event` wraps the event in `payload`."""

    payload: Event | None = None
    type: str = ""
    properties: Raw = Raw(b"{}")


_frame = msgspec.json.Decoder(_Frame).decode


class UnreadableAnswer(ValueError):
    """An event or an answer is not JSON, or lacks a field that its type must have."""


def event_of(data: bytes) -> Event:
    """Decode the data of a server-sent event, of `/global/event` or of `/event`.

    Raises:
        UnreadableAnswer: the data is not an event.
    """
    data = _shallow(data)
    try:
        frame = _frame(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        frame = _leniently(data, _Frame)
    event = frame.payload or Event(frame.type, frame.properties)
    if not event.type:
        raise UnreadableAnswer(f"the event has no type: {data[:200]!r}")
    return event


def session_of(event: Event) -> str:
    """Return the id of the session that an event is about; empty if it is about no session."""
    kind = type_of(event.type)
    try:
        data = _shallow(bytes(event.properties))
        try:
            properties = kind.read(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            properties = _leniently(data, dict)
    except UnreadableAnswer:
        return ""
    return kind.session_in(properties) or ""


def properties_of(event: Event, kind: type[_T]) -> _T:
    """Decode the properties of an event as `kind`.

    Raises:
        UnreadableAnswer: the properties lack a field of `kind`, or it has another type.
    """
    return read(bytes(event.properties), kind)


def read(data: bytes, kind: type[_T]) -> _T:
    """Decode JSON as `kind`: a type of `wire`, or a list or a dictionary of such a type.

    Raises:
        UnreadableAnswer: the data is not JSON, or does not fit `kind`.
    """
    data = _shallow(data)
    try:
        return msgspec.json.decode(data, type=learned(kind))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _leniently(data, kind)


def _shallow(data: bytes) -> bytes:
    """Return the JSON with placeholders for values that are nested too deep to be decoded."""
    if not depth.too_deep(data, depth.EVENT_LEVELS):
        return data
    try:
        return depth.fold(data).json
    except depth.TooDeep as error:
        raise UnreadableAnswer(f"{error}: {data[:200]!r}") from None


def _leniently(data: bytes, kind: type[_T]) -> _T:
    """Decode JSON that msgspec refuses, because a text has half of a UTF-16 surrogate pair.

    JavaScript sends such text when it cuts a string in the middle of a character.
    """
    try:
        decoded = json.loads(data)
        if kind is _Frame and isinstance(decoded, dict):
            return msgspec.convert(_raw(decoded), learned(kind))
        # The other half of a pair may arrive with the next delta, so a delta keeps its half.
        # Elsewhere the other half is lost, and the half is replaced by U+FFFD.
        value = decoded if kind is Delta else _whole(decoded)
        return msgspec.convert(value, learned(kind))
    except ValueError as error:
        raise UnreadableAnswer(f"{error}: {data[:200]!r}") from None


def _raw(frame: dict[str, Any]) -> dict[str, Any]:
    """Encode the properties of an event as JSON again, because `Event.properties` holds JSON."""
    payload = frame.get("payload")
    if isinstance(payload, dict):
        return {"payload": _raw(payload)}
    raw = {"properties": Raw(json.dumps(frame.get("properties", {})).encode())}
    return {"type": frame.get("type", ""), **raw}


def _whole(decoded: Any) -> Any:
    """Replace halves of surrogate pairs by U+FFFD, because they cannot be encoded as UTF-8."""
    return json.loads(well_formed(json.dumps(decoded, ensure_ascii=False)))
