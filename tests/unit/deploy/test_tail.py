"""`weir tail`: what it refuses, and what it writes of a stream."""

import io
import json
from functools import partial

import pytest
from msgspec.structs import replace

from bus.backoff import Backoff
from bus.flags import BadFlag, HelpAsked
from bus.login import Login
from bus.origin import Origin
from deploy import tail
from tests.fakes.stream_server import STREAM, answer, answer_status, stream_server


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch):
    monkeypatch.setattr("acp_client.stream.Backoff", partial(Backoff, 0.01))


@pytest.mark.parametrize(
    "url", ["foo", "ftp://h", "http://", "http://h:0", "http://h:99999", "", "http://h/?event"]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(BadFlag) as refused:
        tail.read(["--url", url], {})
    assert str(refused.value).startswith("--url: ")
    assert "HOST[:PORT]" in str(refused.value)


def test_its_flags_may_stand_in_any_order():
    options = tail.read(["--json", "--session", "ses_1", "--url=http://h:1"], {})
    assert options == tail.Options(Origin("http", "h", 1), "ses_1", None, True)
    here = Origin("http", "127.0.0.1", 4097)
    assert tail.read([], {}) == tail.Options(here, None, None, False)


def test_a_login_comes_from_the_url_or_from_the_environment():
    environ = {"OPENCODE_SERVER_PASSWORD": "s3cret"}
    assert tail.read([], environ).server.login == Login("opencode", "s3cret")
    assert tail.read(["--url", "http://me:p@h"], environ).server.login == Login("me", "p")


def test_help_names_json_too():
    with pytest.raises(HelpAsked, match="--json"):
        tail.read(["--help"], {})


def write(events, **changed):
    """What is written of a server's stream until it answers 404, and what was asked for."""
    body = b"".join(b"data: %b\n\n" % event for event in events)
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with stream_server(answer(STREAM + body), answer_status("404 Not Found")) as server:
        options = tail.Options(Origin.parse(server.url), session=None, directory=None, json=False)
        assert tail.run(replace(options, **changed), out) == 1
        asked = server.requests[0][0].split()[1]
    out.seek(0)
    return out.read(), asked


IDLE = {"type": "session.status", "properties": {"sessionID": "ses_1", "status": {"type": "idle"}}}


@pytest.mark.parametrize("wire", [IDLE, {"directory": "/srv", "payload": IDLE}])
def test_events_of_either_endpoint_become_text(wire, capsys):
    written, asked = write([json.dumps(wire).encode()])
    assert written == "── ses_1\n(idle)\n"
    assert asked == "/global/event"
    said = capsys.readouterr().err
    assert "the server ended the stream" in said
    assert "404 Not Found" in said


@pytest.mark.parametrize("data", [b"hello", b"[1]", b"7", b'{"type":[]}', b'{"payload":null}'])
def test_what_is_no_event_is_said_and_passed_over(data, capsys):
    written, _ = write([data, json.dumps(IDLE).encode()])
    assert written == "── ses_1\n(idle)\n"
    said = capsys.readouterr().err
    assert "weir tail: not an event: " in said
    assert repr(data) in said


def test_json_is_written_as_it_came():
    lines = [json.dumps(IDLE).encode(), '{"type":"ü","n":[1, 2]}'.encode()]
    written, _ = write(lines, json=True)
    assert written == b"\n".join([*lines, b""]).decode()


def test_half_a_surrogate_pair_does_not_end_it():
    delta = {
        "sessionID": "ses_1",
        "messageID": "m",
        "partID": "p",
        "field": "text",
        "delta": "a\ud83d",
    }
    event = {"type": "message.part.delta", "properties": delta}
    assert write([json.dumps(event).encode()])[0] == "── ses_1\na?"
    assert write([b'{"type":"\xff"}'], json=True)[0] == '{"type":"\ufffd"}\n'


def test_a_filter_is_asked_of_the_server():
    assert write([], session="ses_1")[1] == "/global/event?session=ses_1"
    assert write([], directory="/srv/a b")[1] == "/event?directory=%2Fsrv%2Fa+b"
