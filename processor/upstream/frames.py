"""Decodes one SSE event of `/global/event` into an event and the place where it happened."""

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
    """The data is no frame of `/global/event`.

    Attributes:
        kind: what is wrong, in words that are the same for all frames of that kind.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class InstanceLocation(Struct, frozen=True):
    """Where something happens: opencode keeps an instance of itself for each."""

    directory: str | None = None
    project: str | None = None
    workspace: str | None = None

    @classmethod
    def named(cls, directory: Any, project: Any, workspace: Any) -> InstanceLocation:
        """Return the place that an upstream names; what is no text names nothing."""
        return cls(_text(directory), _text(project), _text(workspace))


class UpstreamFrame(Struct, frozen=True, gc=False):
    """An event in its place, and what it says about which entity."""

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


class _Wire(_Where):
    payload: Raw


class _DeltaFrame(_Where):
    payload: DeltaWire


_decode_wire = msgspec.json.Decoder(_Wire).decode
_DELTA = PartDelta.type.encode()
_decode_delta = msgspec.json.Decoder(_DeltaFrame).decode


def decode(data: bytes) -> UpstreamFrame:
    """Return the frame that `data` holds; the event's JSON stays as it came.

    Raises:
        MalformedFrame: it holds none.
    """
    if _DELTA in data:  # as nearly all that comes
        try:
            wire = _decode_delta(data)
            return UpstreamFrame(wire.payload.event(), wire.place)
        except MALFORMED:
            pass  # another event may hold these words, and a delta may have an odd form
    if depth.too_deep(data, depth.EVENT_LEVELS):
        return _folded(data)
    place, payload = _read(data)
    return _frame(place, payload, payload)


def _folded(data: bytes) -> UpstreamFrame:
    """Read a frame that is nested too deep without looking at what is too deep in it."""
    if not depth.balanced(data):  # to look for its values would take much longer
        raise MalformedUpstreamFrame("not JSON")
    try:
        folded = depth.fold(data)
    except depth.TooDeep as error:
        raise MalformedUpstreamFrame("nested too deep, and too large to look into") from error
    place, shallow = _read(folded.json)
    return _frame(place, shallow, folded.unfold(shallow))


def _frame(place: InstanceLocation, shallow: bytes, payload: bytes) -> UpstreamFrame:
    """Return the frame of an event that is read from `shallow` and travels as `payload`."""
    try:
        event = from_json(shallow, payload)
        if isinstance(event, Delta):
            return UpstreamFrame(event, place)
        if not payload.isascii():
            payload.decode()  # what is in the depths of a payload was not looked at yet
    except UnicodeDecodeError as error:
        raise MalformedUpstreamFrame("not UTF-8") from error
    except MalformedEvent as error:
        raise MalformedUpstreamFrame("its payload is not an event") from error
    return UpstreamFrame(event, place, subject_of(event))


def _read(data: bytes) -> tuple[InstanceLocation, bytes]:
    """Return where the event of a frame happens, and its JSON."""
    try:
        wire = _decode_wire(data)
        return wire.place, bytes(wire.payload)
    except MALFORMED:
        return _lenient(data)


def _lenient(data: bytes) -> tuple[InstanceLocation, bytes]:
    """Take half a surrogate pair, which only the standard library does; equal as JSON."""
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
        return None  # no place that could be named to anybody
    return text
