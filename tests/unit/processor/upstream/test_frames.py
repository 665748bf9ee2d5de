import json

import pytest

from bus.events import Delta, Opaque
from processor.upstream.frames import InstanceLocation, MalformedUpstreamFrame, decode
from tests import recorded


@pytest.mark.parametrize("name", recorded.scenarios())
def test_a_recorded_frame_keeps_its_event_and_its_place(name):
    for data in recorded.raw_frames(name, "global"):
        wire, frame = json.loads(data), decode(data)
        assert json.loads(frame.event.json()) == wire["payload"]
        place = InstanceLocation(wire.get("directory"), wire.get("project"), wire.get("workspace"))
        assert frame.place == place


def test_the_bytes_of_a_payload_stay_as_they_came():
    payload = b'{ "type":"x.y","properties":{"n":1.50e2,"n":2},"tomorrow":[] }'
    frame = decode(b'{"payload":' + payload + b',"directory":"/d"}')
    assert frame.event.json() == payload.strip()


@pytest.mark.parametrize("kind", ["x.y", "message.part.delta", "message.part.updated"])
def test_half_a_surrogate_pair_passes(kind):
    payload = b'{"type":"%s","properties":{"delta":"\\ud83c"}}' % kind.encode()
    frame = decode(b'{"directory":"/d","payload":' + payload + b"}")
    assert isinstance(frame.event, Opaque)
    assert json.loads(frame.event.json()) == json.loads(payload)
    assert frame.place.directory == "/d"


def test_a_delta_is_read_whole():
    properties = {"sessionID": "s", "messageID": "m", "partID": "p", "field": "text", "delta": "é"}
    event = {"type": "message.part.delta", "properties": properties}
    assert decode(json.dumps({"payload": event}).encode()).event == Delta(
        None, "s", "m", "p", "text", "é"
    )


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "there is no payload"),
        (b'{"directory":"/d"}', "there is no payload"),
        (b'{"payload":null}', "its payload is not an event"),
        (b'{"payload":{"properties":{}}}', "its payload is not an event"),
        (b'{"payload":{"type":"x","properties":{"a":"\xff"}}}', "not UTF-8"),
    ],
)
def test_what_is_no_frame_is_refused_by_its_kind(data, kind):
    with pytest.raises(MalformedUpstreamFrame) as refused:
        decode(data)
    assert refused.value.kind == kind


@pytest.mark.parametrize("odd", [None, 5, [], "\ud800"], ids=repr)
def test_a_place_that_cannot_be_named_is_none(odd):
    payload = {"type": "x.y", "properties": {}}
    frame = decode(json.dumps({"directory": odd, "project": "p", "payload": payload}).encode())
    assert frame.place == InstanceLocation(None, "p", None)


DELTA = {
    "type": "message.part.delta",
    "properties": {
        "sessionID": "s",
        "messageID": "m",
        "partID": "p",
        "field": "text",
        "delta": "d",
    },
}


@pytest.mark.parametrize("odd", [5, [], "\ud800"], ids=repr)
def test_a_delta_whose_place_cannot_be_named_is_a_delta_all_the_same(odd):
    frame = decode(json.dumps({"directory": odd, "payload": DELTA}).encode())
    assert frame.event == Delta(None, "s", "m", "p", "text", "d")
    assert frame.place == InstanceLocation()


@pytest.mark.parametrize(
    "event",
    [
        {"type": "x.y", "properties": DELTA["properties"] | {"field": "message.part.delta"}},
        {"type": "x.y", "properties": {"of": DELTA}},
        DELTA | {"tomorrow": 1},
    ],
)
def test_what_only_looks_like_a_delta_passes_as_it_came(event):
    payload = json.dumps(event).encode()
    frame = decode(b'{"payload":' + payload + b"}")
    assert isinstance(frame.event, Opaque)
    assert frame.event.json() == payload
