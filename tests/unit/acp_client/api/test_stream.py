"""Following an event stream over real sockets, through everything that can end a connection."""

import threading
from base64 import b64decode
from functools import partial
from itertools import islice

import pytest

from acp_client.api.stream import EventStream, StreamRefused
from bus.backoff import Backoff
from bus.origin import Origin
from tests.fakes.stream_server import (
    CHUNKED,
    STREAM,
    answer,
    answer_and_hold,
    answer_and_reset,
    answer_status,
    stream_server,
)
from tests.ports import free_port


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch):
    monkeypatch.setattr("acp_client.api.stream.Backoff", partial(Backoff, 0.01, 0.05))


def stream_of(url, *args, **options):
    return EventStream(Origin.parse(url), *args, **options)


def event(text, event_id=None):
    line = f"id: {event_id}\n" if event_id is not None else ""
    return f"{line}data: {text}\n\n".encode()


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def take(stream, count):
    events = iter(stream)
    got = [one.data.decode() for one in islice(events, count)]
    events.close()
    return got


def test_it_asks_for_an_event_stream():
    with stream_server(answer(STREAM + event("a"))) as server:
        url = server.url.replace("//", "//me%40home:p%3Aw@")
        assert take(stream_of(url, "/event", {"directory": "/srv/a b+ü"}), 1) == ["a"]
        assert server.requests[0][0] == "GET /event?directory=%2Fsrv%2Fa+b%2B%C3%BC HTTP/1.1"
        assert server.header(0, "accept") == "text/event-stream"
        assert server.header(0, "last-event-id") is None
        assert b64decode(server.header(0, "authorization").split()[1]) == b"me@home:p:w"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_cannot_now_is_asked_again(status):
    said = []
    busy = answer_status(f"{status} Not Now", b"{}")
    with stream_server(busy, busy, answer(STREAM + event("a"))) as server:
        assert take(stream_of(server.url, notice=said.append), 1) == ["a"]
        assert len(server.requests) == 3
    assert [words.partition(";")[0] for words in said] == [
        f"{server.url.removeprefix('http://')} answers {status} Not Now"
    ] * 2


def test_after_a_clean_end_it_goes_on_after_the_last_id():
    first = answer(STREAM + event("a", "e:1") + event("b", "e:2-3.4") + event("c"))
    with stream_server(first, answer(STREAM + event("d", "e:5"))) as server:
        assert take(stream_of(server.url), 4) == ["a", "b", "c", "d"]
        assert server.header(1, "last-event-id") == "e:2-3.4"


def test_after_a_reset_it_goes_on_after_the_last_id():
    taken = threading.Event()
    first = answer_and_reset(STREAM + event("a", 1), taken)
    with stream_server(first, answer(STREAM + event("b", 2))) as server:
        events = iter(stream_of(server.url))
        assert next(events).data == b"a"
        taken.set()
        assert next(events).data == b"b"
        events.close()
        assert server.header(1, "last-event-id") == "1"


def test_it_comes_back_when_the_server_says(monkeypatch):
    monkeypatch.setattr("acp_client.api.stream.Backoff", Backoff)
    said = []
    scripts = answer(STREAM + b"retry: 100\n" + event("a", 1)), answer(STREAM + event("b", 2))
    with stream_server(*scripts, answer(STREAM + b"retry: 0\n" + event("c"))) as server:
        stream = iter(stream_of(server.url, notice=said.append))
        assert [next(stream).data for _ in range(3)] == [b"a", b"b", b"c"]
    waits_s = [float(words.split("trying again in ")[1].split(" ")[0]) for words in said]
    assert waits_s == [0.1, 0.1]  # by itself it waits half a second


@pytest.mark.parametrize(
    "rest", [chunk(event("lost", 2)[:-1]), b"7fff\r\nid: 2\ndata: los", b"", b"no size\r\n"]
)
def test_what_a_cut_left_unfinished_is_neither_told_nor_counted(rest):
    first = answer(CHUNKED + chunk(event("a", 1)) + rest)
    with stream_server(first, answer(STREAM + event("b", 2))) as server:
        assert take(stream_of(server.url), 2) == ["a", "b"]
        assert server.header(1, "last-event-id") == "1"


def test_the_id_survives_connections_that_say_nothing():
    busy = answer_status("503 Busy")
    scripts = answer(STREAM + event("a", 1)), answer(STREAM), busy, answer(STREAM + event("b"))
    with stream_server(*scripts) as server:
        assert take(stream_of(server.url), 2) == ["a", "b"]
        assert [server.header(n, "last-event-id") for n in range(4)] == [None, "1", "1", "1"]


@pytest.mark.parametrize("event_id", ["ü", "дальше", "☃", "a b"])
def test_any_id_is_given_back_as_it_came(event_id):
    scripts = answer(STREAM + event("a", event_id)), answer(STREAM + event("b"))
    with stream_server(*scripts) as server:
        assert take(stream_of(server.url), 2) == ["a", "b"]
        assert server.header(1, "last-event-id") == event_id


SILENCE_S = 2.0
# A busy machine may delay an answer for longer than a silence, but not each time.
TRIES = 5


def test_a_silent_connection_is_lost():
    said = []
    scripts = answer_and_hold(STREAM + event("a", 1)), *[answer(STREAM + event("b", 2))] * TRIES
    with stream_server(*scripts) as server:
        stream = stream_of(server.url, silence_s=SILENCE_S, notice=said.append)
        assert take(stream, 2) == ["a", "b"]
    assert "has sent nothing within the time limit" in said[0]


def test_a_server_that_never_answers_is_silent():
    said = []
    with stream_server(answer_and_hold(b""), *[answer(STREAM + event("a"))] * TRIES) as server:
        stream = stream_of(server.url, silence_s=SILENCE_S, notice=said.append)
        assert take(stream, 1) == ["a"]
    assert "has sent nothing within the time limit" in said[0]


def test_a_server_that_does_not_answer_is_asked_again_before_it_counts_as_silent():
    assert any(asked_again() == 2 for _ in range(TRIES))


def asked_again():
    """Return how many requests it takes until the second is answered."""
    said = []
    scripts = answer_and_hold(b""), *[answer_and_hold(STREAM + event("a"))] * TRIES
    with stream_server(*scripts) as server:
        stream = stream_of(server.url, answer_s=SILENCE_S, notice=said.append)
        assert take(stream, 1) == ["a"]
    assert "has sent nothing within the time limit" in said[0]
    return len(server.requests)


def test_a_stream_that_has_begun_may_be_silent_for_longer():
    assert any(said_of_a_silence() == [] for _ in range(TRIES))


def said_of_a_silence():
    """Return what is said of a stream that begins at once, and is silent then."""
    begun, said = threading.Event(), []

    def late(connection):
        connection.sendall(STREAM)
        begun.wait(1.25 * SILENCE_S)
        connection.sendall(event("a"))

    with stream_server(*[late] * TRIES) as server:
        stream = stream_of(server.url, answer_s=SILENCE_S, notice=said.append)
        assert take(stream, 1) == ["a"]
    return said


def test_a_server_that_is_not_there_yet_is_waited_for():
    url = f"http://127.0.0.1:{free_port()}"
    tries = []

    def notice(words):
        tries.append(words)
        if len(tries) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        take(stream_of(url, notice=notice), 1)
    assert all("refuses connections; trying again in 0.0 s" in words for words in tries)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        ("404 Not Found", b'{"name":"NotFoundError"}', "application/json"),
        ("401 Unauthorized", b"", "application/json"),
        ("400 Bad Request", b'{"name":"BadRequest"}', "application/json"),
        ("200 OK", b"<html>", "text/html"),
        ("204 No Content", b"", "application/json"),
        ("302 Found", b"", "text/html"),
    ],
)
def test_an_answer_that_is_no_stream_ends_it_for_good(status, body, kind):
    with stream_server(answer_status(status, body, kind)) as server:
        with pytest.raises(StreamRefused) as refusal:
            take(stream_of(server.url.replace("//", "//me:secret@"), "/event"), 1)
        assert len(server.requests) == 1
    for words in (server.url.removeprefix("http://"), "/event", status, kind, body.decode()):
        assert words in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_waits_grow_until_an_event_arrives(monkeypatch):
    waits = []
    monkeypatch.setattr("acp_client.api.stream.Backoff", partial(Backoff, 0.5, 30.0, 0.0))
    monkeypatch.setattr("acp_client.api.stream.time.sleep", waits.append)
    busy = answer_status("503 Busy")
    scripts = busy, busy, busy, answer(STREAM + event("a")), busy, answer(STREAM + event("b"))
    with stream_server(*scripts) as server:
        assert take(stream_of(server.url), 2) == ["a", "b"]
    assert waits == [0.5, 1, 2, 0.5, 1]
