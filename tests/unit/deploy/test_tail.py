"""`weir tail`: what it refuses, and what it writes of a stream."""

import io
import json
from functools import partial

import pytest
from msgspec.structs import replace

from bus.backoff import Backoff
from bus.origin import Origin
from bus.process.flags import BadFlag, HelpAsked
from bus.process.login import Login
from deploy import tail
from tests.fakes.stream_server import STREAM, answer, answer_status, stream_server


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch):
    monkeypatch.setattr("acp_client.api.stream.Backoff", partial(Backoff, 0.01))


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
    assert options == tail.TailOptions(Origin("http", "h", 1), "ses_1", None, True)
    here = Origin("http", "127.0.0.1", 4097)
    assert tail.read([], {}) == tail.TailOptions(here, None, None, False)


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
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
    with stream_server(answer(STREAM + body), answer_status("404 Not Found")) as server:
        options = tail.TailOptions(
            Origin.parse(server.url), session=None, directory=None, json=False
        )
        assert tail.run(replace(options, **changed), out) == 1
        asked = server.requests[0][0].split()[1]
    out.seek(0)
    return out.read(), asked


def words(written):
    """What is written, without the time of each line."""
    return [line.partition(" ")[2] for line in written.splitlines()]


IDLE_WORDS = ["1 ── ses_1", "1 (idle)"]
IDLE = {"type": "session.status", "properties": {"sessionID": "ses_1", "status": {"type": "idle"}}}


@pytest.mark.parametrize("wire", [IDLE, {"directory": "/srv", "payload": IDLE}])
def test_events_of_either_endpoint_become_text(wire, capsys):
    written, asked = write([json.dumps(wire).encode()])
    assert words(written) == IDLE_WORDS
    assert asked == "/global/event?frame_hz=30"
    said = capsys.readouterr().err
    assert "the server ended the stream" in said
    assert "404 Not Found" in said


@pytest.mark.parametrize("data", [b"hello", b"[1]", b"7", b'{"type":[]}', b'{"payload":null}'])
def test_what_is_no_event_is_said_and_passed_over(data, capsys):
    written, _ = write([data, json.dumps(IDLE).encode()])
    assert words(written) == IDLE_WORDS
    said = capsys.readouterr().err
    assert "weir tail: an event of the server is not printed, because it is malformed: " in said
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
    assert write([json.dumps(event).encode()])[0].endswith(" 1 a?")
    assert write([b'{"type":"\xff"}'], json=True)[0] == '{"type":"\ufffd"}\n'


def test_a_filter_is_asked_of_the_server():
    assert write([], session="ses_1")[1] == "/global/event?frame_hz=30&session=ses_1"
    assert write([], directory="/srv/a b")[1] == "/event?frame_hz=30&directory=%2Fsrv%2Fa+b"


def test_a_machine_gets_deltas_at_once():
    assert write([], json=True)[1] == "/global/event?frame_hz=0"


SESSION = {"id": "ses_1", "title": "old", "time": {"created": 1}}
MESSAGE = {
    "info": {"id": "msg_1", "sessionID": "ses_1", "role": "user", "time": {"created": 1}},
    "parts": [
        {"id": "p", "sessionID": "ses_1", "messageID": "msg_1", "type": "text", "text": "hi"}
    ],
}
GONE = answer_status("404 Not Found")
CONNECTED = {"type": "server.connected", "properties": {}}


def stored(value, status="200 OK"):
    return answer_status(status, json.dumps(value).encode())


def follow(*scripts, events=(), **changed):
    """The exit status, what is written and what was asked for, of a stream that then ends."""
    body = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in events)
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with stream_server(answer(STREAM + body), *scripts) as server:
        options = tail.TailOptions(Origin.parse(server.url), "ses_1", None, False)
        status = tail.run(replace(options, **changed), out)
        asked = [head[0].split()[1] for head in server.requests]
    out.seek(0)
    return status, out.read(), asked


def test_the_past_of_a_session_at_rest_comes_first():
    other = {**IDLE, "properties": {**IDLE["properties"], "sessionID": "ses_2"}}
    events = [CONNECTED, other, IDLE]
    status, written, asked = follow(stored(SESSION), stored([MESSAGE]), GONE, events=events)
    assert status == 1  # the stream is refused in the end
    said = [line.partition(" 1 ")[2] for line in written.splitlines()]
    assert said == ["── ses_1", "# old", "> hi", "(idle)"]
    assert asked[:3] == [
        "/global/event?frame_hz=30&session=ses_1",
        "/session/ses_1",
        "/session/ses_1/message?limit=101",
    ]


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "500 Not Me"])
def test_a_session_that_does_not_exist_is_said_to_be_missing(status, capsys):
    name = "nope" if status.startswith("500") else "ses_1"
    missing = stored({"name": "NotFoundError"}, status)
    status, written, _ = follow(missing, events=[CONNECTED], session=name)
    assert (status, written) == (1, "")
    assert f"weir tail: session '{name}' does not exist at http://" in capsys.readouterr().err


def test_a_past_that_cannot_be_had_is_said_to_be_and_the_stream_goes_on(capsys):
    failure = stored({"name": "UnknownError"}, "500 Oops")
    _, written, _ = follow(failure, GONE, events=[CONNECTED, IDLE])
    assert words(written) == IDLE_WORDS
    assert (
        "the earlier messages cannot be fetched: GET /session/ses_1: 500"
        in capsys.readouterr().err
    )


def test_a_cause_is_said_once_and_a_wait_stays_short(capsys, monkeypatch):
    waits = []
    monkeypatch.setattr("acp_client.api.stream.Backoff", Backoff)
    monkeypatch.setattr("acp_client.api.stream.time.sleep", waits.append)
    busy = answer_status("503 Full")
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    back = answer(STREAM + b"data: %b\n\n" % json.dumps(IDLE).encode())
    with stream_server(*[busy] * 12, back, answer_status("404 Not Found")) as server:
        tail.run(tail.TailOptions(Origin.parse(server.url), None, None, False), out)
    assert len(waits) == 13
    assert max(waits) <= 5.0
    said = capsys.readouterr().err
    assert said.count("answers 503 Full; trying again") == 1
    assert said.count("weir tail: connected again\n") == 1


def test_what_a_server_says_is_not_obeyed(capsys):
    refusal = answer_status("404 \x1b[2J", b"\x1b]0;owned\x07")
    with stream_server(refusal) as server:
        tail.run(tail.TailOptions(Origin.parse(server.url), None, None, False), io.StringIO())
    said = capsys.readouterr().err
    assert "owned" in said
    assert "\x1b" not in said
    screen = io.StringIO()
    screen.isatty = lambda: True
    with stream_server(answer(STREAM + b'data: {"a":"\xc2\x9b"}\n\n'), refusal) as server:
        tail.run(tail.TailOptions(Origin.parse(server.url), None, None, True), screen)
    assert screen.getvalue() == '{"a":"\\u009b"}\n'
