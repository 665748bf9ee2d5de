"""From the data of one SSE event of `/global/event` to an event and where it happened."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from bus import depth, json
from bus.events import Event, MalformedEvent, Opaque, from_json


class MalformedFrame(ValueError):
    """The data is no frame of `/global/event`.

    Attributes:
        kind: what is wrong, in words that are the same for all frames of that kind.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Place(Struct, frozen=True):
    """Where something happens: opencode keeps an instance of itself for each."""

    directory: str | None = None
    project: str | None = None
    workspace: str | None = None

    @classmethod
    def named(cls, directory: Any, project: Any, workspace: Any) -> Place:
        """Return the place that an upstream names; what is no text names nothing."""
        return cls(_text(directory), _text(project), _text(workspace))


class Frame(Struct, frozen=True, gc=False):
    """An event in its place."""

    event: Event
    place: Place


class _Wire(Struct):
    payload: Raw
    directory: str | None = None
    project: str | None = None
    workspace: str | None = None


_decode_wire = msgspec.json.Decoder(_Wire).decode


def decode(data: bytes) -> Frame:
    """Return the frame that `data` holds; the event's JSON stays as it came.

    Raises:
        MalformedFrame: it holds none.
    """
    if depth.too_deep(data, depth.EVENT_LEVELS):
        return _folded(data)
    wire, payload = _read(data)
    return _frame(wire, payload, payload)


def _folded(data: bytes) -> Frame:
    """Read a frame that is nested too deep without looking at what is too deep in it."""
    try:
        folded = depth.fold(data)
    except depth.TooDeep as error:
        raise MalformedFrame("nested too deep, and too large to look into") from error
    wire, shallow = _read(folded.json)
    return _frame(wire, shallow, folded.unfold(shallow))


def _read(data: bytes) -> tuple[_Wire, bytes]:
    try:
        wire = _decode_wire(data)
        return wire, bytes(wire.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _lenient(data)


def _frame(wire: _Wire, shallow: bytes, payload: bytes) -> Frame:
    """Return the frame of an event that is read from `shallow` and travels as `payload`."""
    try:
        event = from_json(shallow, payload)
        if type(event) is Opaque and not payload.isascii():
            payload.decode()  # what is in the depths of a payload was not looked at yet
    except UnicodeDecodeError as error:
        raise MalformedFrame("not UTF-8") from error
    except MalformedEvent as error:
        raise MalformedFrame("its payload is no event") from error
    return Frame(event, Place(wire.directory, wire.project, wire.workspace))


def _lenient(data: bytes) -> tuple[_Wire, bytes]:
    """Take half a surrogate pair, which only the standard library does; equal as JSON."""
    try:
        value = json.decode(data)
    except UnicodeDecodeError as error:
        raise MalformedFrame("not UTF-8") from error
    except ValueError as error:
        raise MalformedFrame("not JSON") from error
    if not isinstance(value, dict) or "payload" not in value:
        raise MalformedFrame("without a payload")
    payload = json.encode(value["payload"])
    texts = (_text(value.get(name)) for name in _Wire.__struct_fields__[1:])
    return _Wire(Raw(payload), *texts), payload


def _text(text: Any) -> str | None:
    if not isinstance(text, str):
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return None  # no place that could be named to anybody
    return text
