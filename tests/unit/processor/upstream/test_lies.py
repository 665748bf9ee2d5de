"""An upstream whose answers are wrong: readers are told what can be told, and no event is lost."""

import json

import pytest

from bus.origin import Origin
from bus.transport import codec
from bus.transport.publisher import Publisher
from processor.upstream.api import NotThere, UpstreamApi
from processor.upstream.frames import InstanceLocation
from processor.upstream.settings import UpstreamSettings
from tests.unit.processor.upstream.bench import BUSY, CUT_MS, SESSION, Bench, frame

NO_TEXT = (5, -1.5, True, [], {"a": 1}, "\ud800", 2**70)


class Wire:
    """A bus that is read at once, as a worker reads it."""

    def __init__(self):
        self.envelopes = []

    def send(self, data):
        self.envelopes += codec.decode(data).envelopes


@pytest.mark.parametrize("odd", NO_TEXT, ids=repr)
@pytest.mark.parametrize("name", ["directory", "projectID", "workspaceID"])
def test_a_place_that_is_no_text_is_no_place(name, odd):
    info = {"id": "ses_1", "time": {"created": 1}, name: odd}
    bench, wire = Bench(frame("session.created", info=info), BUSY), Wire()
    publisher = Publisher(wire, "up")
    assert [event["type"] for event in bench.heal()] == ["session.updated", "session.status"]
    for one in bench.published:
        publisher.publish(one.event, one.place.directory, one.place.project, one.place.workspace)
    assert len(wire.envelopes) == 2
    assert json.loads(wire.envelopes[0].event.json())["properties"]["info"][name] == odd


@pytest.mark.parametrize("name", ["self", "event_type", "type", "request"])
def test_a_request_may_have_any_names(name):
    bench = Bench(SESSION, frame("permission.asked", id="per_1", permission="bash", **{name: 1}))
    [asked] = [event for event in bench.heal() if event["type"] == "permission.asked"]
    assert asked["properties"][name] == 1


class Answer:
    """Of a pool that has no server behind it."""

    status, headers, reason = 200, {"Content-Type": "application/json"}, ""

    def __init__(self, said):
        self._body = json.dumps(said).encode()

    def read(self, _size):
        return self._body

    def release_conn(self):
        pass


def rest(said):
    """Return what asks a server that always says the same."""
    pool = type("Pool", (), {"request": lambda *_, **__: Answer(said)})()
    return UpstreamApi(UpstreamSettings(Origin.parse("http://up.example")), pool)


ASKED = {
    "sessions": lambda one: one.changed_sessions(InstanceLocation(), CUT_MS),
    "session": lambda one: one.session("ses_1", InstanceLocation()),
    "statuses": lambda one: one.statuses(InstanceLocation()),
    "requests": lambda one: one.requests("permission", InstanceLocation()),
    "messages": lambda one: one.messages("ses_1", InstanceLocation()),
    "folder": lambda one: one.folder(),
}
NAMELESS = {
    "sessions": [{"id": "\ud800"}],
    "session": {"id": "\ud800"},
    "requests": [{"id": "per_1", "sessionID": "\udfff"}],
    "messages": [{"info": {"id": "msg_1"}, "parts": [{"id": "\ud800"}]}],
    "folder": {"directory": "/\ud800"},
}


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize("said", [None, 5, "text", [5], {"a": 5}, [[]]], ids=repr)
def test_an_answer_of_another_form_is_no_answer(what, said):
    with pytest.raises(NotThere):
        ASKED[what](rest(said))


@pytest.mark.parametrize("what", NAMELESS)
def test_a_name_with_half_a_surrogate_pair_is_no_name(what):
    with pytest.raises(NotThere):
        ASKED[what](rest(NAMELESS[what]))


def test_half_a_surrogate_pair_in_what_is_no_name_passes():
    todos = [{"content": "\ud800"}]
    assert rest(todos).todos("ses_1", InstanceLocation()) == todos
    status = {"ses_1": {"type": "retry", "message": "\ud800"}}
    assert rest(status).statuses(InstanceLocation()) == status
