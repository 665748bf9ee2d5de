"""Decodes one SSE event of `/global/event` into an event and the location where it happened."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from bus import depth, json
from bus.events import Delta, DeltaWire, Event, MalformedEvent, from_json
from bus.events.catalogue import PartDelta
from bus.malformed import MALFORMED
from processor.upstream.subject import Subject, subject_of


class MalformedUpstreamFrame(ValueError):
    """The data is not a frame of `/global/event`.

    Attributes:
        kind: the reason in words, which are the same for all frames with this problem.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class InstanceLocation(Struct, frozen=True):
    """Where something happens: opencode runs an instance of itself for each location."""

    directory: str | None = None
    project: str | None = None
    workspace: str | None = None

    @classmethod
    def named(cls, directory: Any, project: Any, workspace: Any) -> InstanceLocation:
        """Return the location that an upstream names; values that are not text are left out."""
        return cls(_text(directory), _text(project), _text(workspace))


class UpstreamFrame(Struct, frozen=True, gc=False):
    """An event, its location, and the entity that it changes."""

    event: Event
    place: InstanceLocation
    subject: Subject | None = None


class _Where(Struct, kw_only=True):
    directory: str | None = None
    project: str | None = None
    workspace: str | None = None

    @property
    def place(self) -> InstanceLocation:
        return InstanceLocation(self.directory, self.project, self.workspace)


class _EventFrame(_Where):
    payload: Raw


class _DeltaFrame(_Where):
    payload: DeltaWire


_decode_wire = msgspec.json.Decoder(_EventFrame).decode
_DELTA = PartDelta.type.encode()
_decode_delta = msgspec.json.Decoder(_DeltaFrame).decode


def decode(data: bytes) -> UpstreamFrame:
    """Decode a frame; the event keeps its original JSON.

    Raises:
        MalformedUpstreamFrame: `data` is not a frame.
    """
    if _DELTA in data:  # nearly all frames are deltas, so they have a fast path
        try:
            wire = _decode_delta(data)
            return UpstreamFrame(wire.payload.event(), wire.place)
        except MALFORMED:
            pass  # another event that contains the word, or a delta in an unusual form
    if depth.too_deep(data, depth.EVENT_LEVELS):
        return _folded(data)
    place, payload = _read(data)
    return _frame(place, payload, payload)


def _folded(data: bytes) -> UpstreamFrame:
    """Decode a frame that is nested too deep, without decoding the values below the bound."""
    if not depth.balanced(data):  # searching for the deep values would take much longer
        raise MalformedUpstreamFrame("not JSON")
    try:
        folded = depth.fold(data)
    except depth.TooDeep as error:
        raise MalformedUpstreamFrame("nested too deep, and too large to look into") from error
    place, shallow = _read(folded.json)
    return _frame(place, shallow, folded.unfold(shallow))


def _frame(place: InstanceLocation, shallow: bytes, payload: bytes) -> UpstreamFrame:
    """Return the frame of an event; `shallow` is decoded, and `payload` is passed on."""
    try:
        event = from_json(shallow, payload)
        if isinstance(event, Delta):
            return UpstreamFrame(event, place)
        if not payload.isascii():
            payload.decode()  # checks that the deep values, which were not decoded, are UTF-8
    except UnicodeDecodeError as error:
        raise MalformedUpstreamFrame("not UTF-8") from error
    except MalformedEvent as error:
        raise MalformedUpstreamFrame("its payload is not an event") from error
    return UpstreamFrame(event, place, subject_of(event))


def _read(data: bytes) -> tuple[InstanceLocation, bytes]:
    """Return the location of a frame, and the JSON of its event."""
    try:
        wire = _decode_wire(data)
        return wire.place, bytes(wire.payload)
    except MALFORMED:
        return _lenient(data)


def _lenient(data: bytes) -> tuple[InstanceLocation, bytes]:
    """Decode a frame with half a surrogate pair, which only the standard library accepts."""
    try:
        value = json.decode(data)
    except UnicodeDecodeError as error:
        raise MalformedUpstreamFrame("not UTF-8") from error
    except ValueError as error:
        raise MalformedUpstreamFrame("not JSON") from error
    if not isinstance(value, dict) or "payload" not in value:
        raise MalformedUpstreamFrame("there is no payload")
    names = (value.get(name) for name in InstanceLocation.__struct_fields__)
    return InstanceLocation.named(*names), json.encode(value["payload"])


def _text(text: Any) -> str | None:
    if not isinstance(text, str):
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return None  # a name that cannot be sent to a client
    return text
