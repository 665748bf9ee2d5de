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
    """A frame of `/global/event`, which wraps the event, or of `/event`, which is the event."""

    payload: Event | None = None
    type: str = ""
    properties: Raw = Raw(b"{}")


_frame = msgspec.json.Decoder(_Frame).decode


class UnreadableAnswer(ValueError):
    """A frame or an answer does not have the form of its type."""


def event_of(data: bytes) -> Event:
    """Decode a frame of either stream.

    Raises:
        UnreadableAnswer: it is not an event.
    """
    data = _shallow(data)
    try:
        frame = _frame(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        frame = _leniently(data, _Frame)
    event = frame.payload or Event(frame.type, frame.properties)
    if not event.type:
        raise UnreadableAnswer(f"no type: {data[:200]!r}")
    return event


def session_of(event: Event) -> str:
    """Return the id of an event's session, empty if there is none."""
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
    """Decode the properties of an event.

    Raises:
        UnreadableAnswer: they lack something that `kind` needs.
    """
    return read(bytes(event.properties), kind)


def read(data: bytes, kind: type[_T]) -> _T:
    """Decode JSON as a type of `wire`, or as a list or dictionary of one.

    Raises:
        UnreadableAnswer: it is not JSON, or has another form.
    """
    data = _shallow(data)
    try:
        return msgspec.json.decode(data, type=learned(kind))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _leniently(data, kind)


def _shallow(data: bytes) -> bytes:
    """Return JSON in which placeholders replace the values that are nested too deep."""
    if not depth.too_deep(data, depth.EVENT_LEVELS):
        return data
    try:
        return depth.fold(data).json
    except depth.TooDeep as error:
        raise UnreadableAnswer(f"{error}: {data[:200]!r}") from None


def _leniently(data: bytes, kind: type[_T]) -> _T:
    """Decode what msgspec refuses: text with half a surrogate pair, which JavaScript can send."""
    try:
        decoded = json.loads(data)
        if kind is _Frame and isinstance(decoded, dict):
            return msgspec.convert(_raw(decoded), learned(kind))
        # The halves of a pair may come in two deltas; elsewhere a half has no partner.
        value = decoded if kind is Delta else _whole(decoded)
        return msgspec.convert(value, learned(kind))
    except ValueError as error:
        raise UnreadableAnswer(f"{error}: {data[:200]!r}") from None


def _raw(frame: dict[str, Any]) -> dict[str, Any]:
    """Encode the properties of a frame as JSON again, as a `Raw` field needs."""
    payload = frame.get("payload")
    if isinstance(payload, dict):
        return {"payload": _raw(payload)}
    raw = {"properties": Raw(json.dumps(frame.get("properties", {})).encode())}
    return {"type": frame.get("type", ""), **raw}


def _whole(decoded: Any) -> Any:
    """Replace halves of surrogate pairs, which cannot be sent to an editor."""
    return json.loads(well_formed(json.dumps(decoded, ensure_ascii=False)))
