"""Reading a server: tolerant of what is new, clear about what is not there."""

import json

import pytest

from acp_client.protocol import decode, wire
from acp_client.protocol.decode import UnreadableAnswer
from acp_client.protocol.wire import Event, Session
from tests import recorded


def frame(**event):
    return json.dumps(event).encode()


def test_both_streams_are_read():
    properties = {"sessionID": "ses_1"}
    plain = decode.event_of(frame(id="evt_1", type="session.idle", properties=properties))
    wrapped = decode.event_of(
        frame(directory="/srv", payload={"type": "session.idle", "properties": properties})
    )
    assert plain.type == wrapped.type == "session.idle"
    assert decode.session_of(plain) == decode.session_of(wrapped) == "ses_1"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"42", b"[]", b'{"payload":7}', b"\xff", b'{"a":"\xff"}']
)
def test_what_is_no_event_is_unreadable(data):
    with pytest.raises(UnreadableAnswer):
        decode.event_of(data)


@pytest.mark.parametrize("properties", ["[]", "7", "null", '{"sessionID":7}', '{"info":[]}'])
def test_an_event_of_another_shape_is_about_no_session(properties):
    event = decode.event_of(f'{{"type":"x","properties":{properties}}}'.encode())
    assert decode.session_of(event) == ""


@pytest.mark.parametrize("name", ["plain", "tool_once", "old-1.2.27/plain", "session_ops"])
def test_every_recorded_event_of_a_session_names_it(name):
    for raw in recorded.raw_frames(name, "global"):
        event = decode.event_of(raw)
        if event.type.startswith(("session.", "message.", "permission.", "question.", "todo.")):
            assert decode.session_of(event).startswith("ses_"), raw


def test_fields_that_nobody_knows_are_passed_over():
    session = decode.read(b'{"id":"ses_1","new":{"x":[1]},"time":{"updated":5,"x":null}}', Session)
    assert (session.id, session.time.updated) == ("ses_1", 5)


def test_half_a_surrogate_pair_is_replaced_but_in_deltas():
    text = b'{"id":"ses_1","title":"a\\ud83c"}'
    assert decode.read(text, Session).title == "a\ufffd"
    delta = '{"sessionID":"s","messageID":"m","partID":"p","field":"text","delta":"\\ud83c"}'
    event = decode.event_of(f'{{"type":"message.part.delta","properties":{delta}}}'.encode())
    assert decode.properties_of(event, wire.Delta).delta == "\ud83c"


@pytest.mark.parametrize("updated", [1e30, -1e30, 0, None])
def test_a_time_that_is_none_is_no_time(updated):
    time = decode.read(json.dumps({"updated": updated or 0}).encode(), wire.Time)
    assert time.updated_iso is None


def test_an_event_without_properties_is_one():
    assert decode.event_of(b'{"type":"x"}') == Event("x")
