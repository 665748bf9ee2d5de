"""Events pass as they came: typed where they are merged, untouched where they are not."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.envelope import Envelope
from bus.events import Delta, MalformedEvent, Opaque, event_of, from_json
from bus.events.catalogue import (
    MessageUpdated,
    PartDelta,
    PartUpdated,
    SessionError,
    SessionIdle,
    SessionStatus,
)
from bus.events.message import AssistantMessage, Failure, MessagePath, MessageTime
from bus.events.part import Span, TextPart, TokenCounts, ToolPart, ToolRunning
from bus.events.session import Busy, Retry
from bus.transport.codec import Batch, decode, encode
from tests import recorded
from tests.envelopes import dump

DELTA = {"sessionID": "ses_1", "messageID": "msg_1", "partID": "prt_1", "field": "text"}


def wire(event_type, properties, **more):
    return {"id": "evt_1", "type": event_type, "properties": properties, **more}


def delta(text, **more):
    return wire("message.part.delta", {**DELTA, "delta": text, **more})


def passed(payload):
    """What leaves a bus that this payload came in at."""
    envelope = Envelope("p1", "e1", 1, 1, None, None, None, from_json(payload))
    frame = decode(encode(Batch([envelope])))
    return frame.envelopes[0].event.json()


def all_frames():
    for name in recorded.scenarios():
        for frame in recorded.raw_frames(name, "event"):
            yield name, frame
        for event in recorded.global_events(name):
            yield name, dump(event["payload"])


@pytest.mark.parametrize("name", recorded.scenarios())
def test_every_recorded_event_leaves_as_the_json_that_came(name):
    frames = recorded.raw_frames(name, "event")
    frames += [dump(event["payload"]) for event in recorded.global_events(name)]
    for frame in frames:
        assert json.loads(passed(frame)) == json.loads(frame)


@pytest.mark.parametrize("name", recorded.scenarios())
def test_all_but_deltas_keep_their_very_bytes(name):
    for frame in recorded.raw_frames(name, "event"):
        event = from_json(frame)
        assert isinstance(event, Delta) == (event.type == "message.part.delta")
        if isinstance(event, Opaque):
            assert event.json() == frame


def test_a_recorded_delta_is_typed_whole():
    events = [from_json(frame) for frame in recorded.raw_frames("reason", "event")]
    deltas = [event for event in events if event.type == "message.part.delta"]
    assert len(deltas) > 10
    for event in deltas:
        assert isinstance(event, Delta)
        assert event.id.startswith("evt_")
        assert event.entity.startswith("prt_")
        assert event.size == len(event.delta.encode())


def test_recorded_events_say_which_session_they_are_about():
    for name, frame in all_frames():
        properties = json.loads(frame).get("properties", {})
        event = from_json(frame)
        if "sessionID" in properties:
            assert event.sessionID == properties["sessionID"]
        elif event.type.startswith(("session.", "message.")):
            about = properties.get("info") or properties["part"]
            assert event.sessionID == about.get("sessionID", about["id"]), (name, frame)


def test_the_older_format_has_no_ids_and_the_same_deltas():
    events = [from_json(frame) for frame in recorded.raw_frames("old-1.2.27/plain", "event")]
    assert {event.id for event in events} == {None}
    deltas = [event for event in events if isinstance(event, Delta)]
    assert len(deltas) == 24
    assert all("id" not in json.loads(delta.json()) for delta in deltas)
    created = next(event for event in events if event.type == "session.created")
    assert created.sessionID.startswith("ses_")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(["id", "sessionID", "partID", "info", "part", "delta", "time", "state"])
PROPERTIES = st.dictionaries(NAMES | st.text(max_size=8), JSON, max_size=6)
DELTAS = st.fixed_dictionaries({name: st.text(max_size=4) for name in [*DELTA, "delta"]})
TYPES = st.sampled_from(
    ["message.part.delta", "message.part.updated", "session.created", "session.idle", "sync"]
)


@given(
    st.fixed_dictionaries(
        {"type": TYPES | st.text(max_size=8)},
        optional={
            "id": st.text(max_size=8) | st.integers() | st.lists(JSON, max_size=2),
            "properties": PROPERTIES | DELTAS | JSON,
            "syncEvent": JSON,
        },
    ),
    st.sampled_from([None, 1, "\n", "\r\n"]),
    st.booleans(),
)
def test_any_object_with_a_type_passes_unchanged(event, indent, ensure_ascii):
    payload = json.dumps(event, indent=indent, ensure_ascii=ensure_ascii).encode()
    left = passed(payload)
    assert json.loads(left) == event
    assert b"\n" not in left
    assert b"\r" not in left


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"session.idle"',
        b"{}",
        b'{"type":null}',
        b'{"type":7,"properties":{}}',
        b'{"type":["session.idle"]}',
        b'{"properties":{"sessionID":"ses_1"}}',
        b'{"type":"session.idle","properties":{"sessionID":"ses_1"}',
        b'{"type":"session.idle"} {"type":"session.idle"}',
        b'{"type":"session.idle","properties":{"a":01}}',
        b'{"type":"session.idle","properties":{"a":"\n"}}',
        b"data: {}",
        b"\x00\x01\x02",
    ],
)
def test_what_is_no_event_is_refused(payload):
    with pytest.raises(MalformedEvent, match="not an event"):
        from_json(payload)


@pytest.mark.parametrize(
    "event",
    [
        delta("half of a pair: \ud83d"),
        delta("x", field="output"),
        delta("x", tomorrow="a field"),
        {**delta("x"), "metadata": {"a": 1}},
        {**delta("x"), "id": 7},
        wire("message.part.delta", {**DELTA}),
        wire("message.part.delta", {**DELTA, "delta": None}),
        wire("message.part.delta", "not even an object"),
        wire("message.part.updated", {"part": {"id": "prt_1", "type": "text", "text": "\udc00"}}),
        wire("session.idle", {"sessionID": "ses_1", "why": "tomorrow"}, extra=[1]),
        wire("session.idle", {"sessionID": 7}),
        wire("session.idle", None),
        {"type": "session.idle"},
        wire("tomorrow.came", {"info": "text", "part": [], "sessionID": {"a": 1}}),
        wire("", {}),
    ],
    ids=str,
)
def test_a_form_that_nobody_foresaw_passes_unchanged(event):
    assert json.loads(passed(json.dumps(event).encode())) == event


def test_a_delta_that_cannot_be_merged_still_belongs_to_its_session_and_part():
    event = from_json(json.dumps(delta("\ud83d")).encode())
    assert isinstance(event, Opaque)
    assert (event.sessionID, event.entity) == ("ses_1", "prt_1")


SNAPSHOT = {"id": "prt_1", "sessionID": "ses_1", "messageID": "msg_1"}


@pytest.mark.parametrize(
    ("part", "provisional"),
    [
        ({"type": "text", "text": ""}, True),
        ({"type": "text", "text": "", "time": {"start": 1}}, True),
        ({"type": "text", "text": "a", "time": {"start": 1, "end": 2}}, False),
        ({"type": "reasoning", "text": "", "time": {"start": 1}}, True),
        ({"type": "reasoning", "text": "a", "time": {"start": 1, "end": 2}}, False),
        ({"type": "tool", "state": {"status": "pending"}}, True),
        ({"type": "tool", "state": {"status": "running"}}, True),
        ({"type": "tool", "state": {"status": "completed"}}, False),
        ({"type": "tool", "state": {"status": "error"}}, False),
        ({"type": "tool"}, False),
        ({"type": "step-start"}, False),
        ({"type": "tomorrow"}, False),
    ],
    ids=str,
)
def test_a_snapshot_is_provisional_while_its_part_grows(part, provisional):
    event = from_json(dump(wire("message.part.updated", {"part": {**SNAPSHOT, **part}})))
    assert event.provisional is provisional
    assert (event.sessionID, event.entity) == ("ses_1", "prt_1")


def test_the_id_of_a_session_event_may_be_in_its_info_alone():
    assert from_json(dump(wire("session.updated", {"info": {"id": "ses_2"}}))).sessionID == "ses_2"
    assert from_json(dump(wire("project.updated", {"info": {"id": "prj_2"}}))).sessionID is None


TYPED = [
    SessionIdle(sessionID="ses_1"),
    SessionStatus(sessionID="ses_1", status=Busy()),
    SessionStatus(sessionID="ses_1", status=Retry(attempt=2, message="later", next=5)),
    SessionError(error=Failure("UnknownError", {"message": "é"})),
    PartDelta(**DELTA, delta="two\nlines"),
    PartUpdated(sessionID="ses_1", part=TextPart(**SNAPSHOT, text="a", time=Span(1)), time=9),
    PartUpdated(
        sessionID="ses_1",
        part=ToolPart(
            **SNAPSHOT,
            callID="call_1",
            tool="bash",
            state=ToolRunning({"command": "ls"}, Span(1), metadata={"output": "x"}),
        ),
        time=9,
    ),
    MessageUpdated(
        sessionID="ses_1",
        info=AssistantMessage(
            id="msg_1",
            sessionID="ses_1",
            time=MessageTime(1, 2),
            parentID="msg_0",
            modelID="m",
            providerID="p",
            mode="build",
            agent="build",
            path=MessagePath("/d", "/"),
            cost=0,
            tokens=TokenCounts.none(),
        ),
    ),
]


@pytest.mark.parametrize("properties", TYPED, ids=lambda properties: properties.type)
def test_typed_properties_travel_as_the_same_json(properties):
    event = event_of(properties, "evt_9")
    assert json.loads(event.json()) == {
        "id": "evt_9",
        "type": properties.type,
        "properties": msgspec.to_builtins(properties),
    }
    assert from_json(event.json()) == event


def test_what_a_typed_event_leaves_out_is_absent_on_the_wire():
    event = event_of(SessionError(error=Failure("UnknownError")), "evt_1")
    assert json.loads(event.json())["properties"] == {
        "error": {"name": "UnknownError", "data": {}}
    }


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"x","properties":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"type":"\xff","properties":{}}',
        b'{"type":"message.part.delta","properties":{"delta":"\xff"}}',
        b'{"type":"x","properties":{"sessionID":"\xff"}}',
        b'{"type":"\\ud800","properties":{}}',
        '{"type":"x"}'.encode("utf-16"),
    ],
    ids=["deep", "type", "delta", "session", "surrogate type", "utf-16"],
)
def test_what_no_reader_could_take_is_malformed(payload):
    with pytest.raises(MalformedEvent):
        from_json(payload)


def test_an_id_that_is_no_unicode_names_nobody_and_the_event_travels():
    payload = b'{"type":"x","id":"\\ud800","properties":{"sessionID":"\\udfff"}}'
    event = from_json(payload)
    assert (event.id, event.sessionID, event.payload) == (None, None, payload)
    encode(Batch([Envelope("p", "e", 1, 1, None, None, None, event)]))
