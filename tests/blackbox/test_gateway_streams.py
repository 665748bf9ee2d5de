"""`/event` and `/global/event` over real sockets: form, filters, slow and vanishing readers."""

import http.client
import json
import socket
import threading
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest

from tests import recorded
from tests.blackbox.source import MARKER
from tests.envelopes import DIRECTORY
from tests.processes import DEADLINE_S, wait_until
from tests.reference import fold
from tests.sse_client import SseClient

HERE = f"/event?directory={quote(DIRECTORY)}"


def storm(count, text="x" * 33):
    properties = {"sessionID": "ses_1", "messageID": "m", "partID": "p", "field": "text"}
    return [
        {"type": "message.part.delta", "properties": {**properties, "delta": f"{n:07d}{text}"}}
        for n in range(count)
    ]


def text_of(events):
    payloads = [event.get("payload", event) for event in events]
    deltas = [e for e in payloads if e["type"] == "message.part.delta"]
    return "".join(e["properties"]["delta"] for e in deltas)


def is_marker(event):
    return event.get("payload", event)["type"] == MARKER["type"]


def get_json(url, **headers):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)
    connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response, body


@pytest.mark.parametrize("path", [HERE, "/global/event"])
def test_a_stream_looks_as_opencodes_does(gateway, path):
    weir = gateway("--heartbeat-ms", "1000")
    with SseClient(weir.url + path) as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-cache, no-transform"
        assert stream.headers["X-Accel-Buffering"] == "no"
        assert stream.headers["X-Content-Type-Options"] == "nosniff"
        assert stream.headers["Vary"] == "Origin"
        first, second = (json.loads(stream.next().data) for _ in range(2))
    said = {"server.connected": {"resumed": False}, "server.heartbeat": {}}
    for event, (kind, properties) in zip((first, second), said.items(), strict=True):
        payload = event if path == HERE else event["payload"]
        assert set(event) == ({"id", "type", "properties"} if path == HERE else {"payload"})
        assert payload["type"] == kind
        assert payload["properties"] == properties
        assert payload["id"].startswith("evt_")


def test_what_is_published_after_connected_is_not_missed(weir):
    for number in range(20):
        with SseClient(weir.url + HERE) as stream:
            assert json.loads(stream.next().data)["type"] == "server.connected"
            weir.source.publish([{"type": "n", "properties": {"n": number}}])
            assert json.loads(stream.next().data)["properties"] == {"n": number}


def test_every_event_has_an_id_and_ids_go_on(weir):
    with SseClient(weir.url + HERE) as stream:
        stream.next()
        publisher = weir.source.publisher
        for _ in range(2):
            weir.source.publish([MARKER])
            assert stream.next().id == f"{publisher.epoch}:{publisher.seq}"


def test_the_directory_comes_from_the_query_or_the_header_or_the_default(weir):
    odd = "/srv/дём o+ü%"
    streams = {
        odd: SseClient(f"{weir.url}/event?directory={quote(odd)}"),
        DIRECTORY: SseClient(f"{weir.url}/event", {"x-opencode-directory": quote(DIRECTORY)}),
        str(weir.folder): SseClient(f"{weir.url}/event"),
    }
    for stream in streams.values():
        stream.next()
    for directory in ("/elsewhere", *streams):
        weir.source.publish([{"type": "n", "properties": {"in": directory}}], directory)
    for directory, stream in streams.items():
        assert json.loads(stream.next().data)["properties"] == {"in": directory}
        stream.close()


def test_a_bad_directory_or_option_is_refused_in_words(weir):
    for query in ("directory=%00", "superseded=maybe", "frame_hz=often"):
        response, body = get_json(f"{weir.url}/event?{query}")
        assert response.status == 400
        assert body["data"]["field"] == query.partition("=")[0]
    assert body["data"]["message"] == "frame_hz: 'often' is not a number 0 to 1000"


def test_a_stream_that_begins_now_leaves_out_what_was_before_it_came(weir):
    before, after = (
        {
            "type": "session.status",
            "properties": {"sessionID": "ses_now", "status": {"type": kind}},
        }
        for kind in ("busy", "idle")
    )
    url = f"{weir.url}/global/event?session=ses_now"
    weir.source.publish([before])
    with SseClient(url) as stream:
        stream.next()
        assert json.loads(stream.next().data)["payload"] == before
    with SseClient(f"{url}&since=now") as stream:
        stream.next()
        weir.source.publish([after])
        last = stream.next()
        assert json.loads(last.data)["payload"] == after
    weir.source.publish([before])
    with SseClient(f"{url}&since=now", {"Last-Event-ID": last.id}) as stream:
        assert json.loads(stream.next().data)["payload"]["properties"] == {"resumed": True}
        assert json.loads(stream.next().data)["payload"] == before
        # Fresh streams of other tests would hear of a session of the last minute.
        end = {"type": "session.deleted", "properties": {"info": {"id": "ses_now"}}}
        weir.source.publish([end])
        assert json.loads(stream.next().data)["payload"] == end


def test_a_session_filter_leaves_the_others_out(weir):
    idle = [{"type": "session.idle", "properties": {"sessionID": f"ses_{n}"}} for n in (1, 2, 3)]
    with SseClient(f"{weir.url}/global/event?session=ses_2&session=ses_3") as stream:
        stream.next()
        weir.source.publish(idle)
        got = [json.loads(stream.next().data)["payload"] for _ in range(2)]
    assert got == idle[1:]


def test_the_instance_stream_ends_when_its_instance_is_disposed(weir):
    end = {"type": "server.instance.disposed", "properties": {"directory": DIRECTORY}}
    with SseClient(weir.url + HERE) as stream, SseClient(f"{weir.url}/global/event") as other:
        stream.next(), other.next()
        weir.source.publish([end, MARKER])
        assert list(stream.events()) == [end]
        assert [e["payload"] for e in other.until(is_marker)] == [end, MARKER]


def test_past_its_cap_a_worker_answers_503_and_says_when_to_come_back(gateway):
    weir = gateway("--max-readers", "2", "--heartbeat-ms", "60000")
    first, second = SseClient(weir.url + HERE), SseClient(f"{weir.url}/global/event")
    response, body = get_json(weir.url + HERE)
    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "streams" in body["data"]["message"]
    assert body["data"]["bound"] == "--max-readers"
    assert get_json(f"{weir.url}/global/health")[1]["healthy"] is True
    first.close()
    # Nothing is published and no heartbeat is due: the place is free because FIN was noticed.
    wait_until(lambda: get_json_status(weir.url + HERE) == 200, what="a free place")
    second.close()


def get_json_status(url):
    with SseClient(url) as stream:
        return stream.status


@pytest.mark.parametrize("name", recorded.scenarios())
def test_a_recording_reaches_fast_slow_and_late_readers_whole(weir, name):
    sent = [e for e in recorded.global_events(name) if e["payload"]["type"] != "sync"]
    fast = SseClient(f"{weir.url}/global/event")
    slow = SseClient(f"{weir.url}/global/event", receive_buffer=4096)
    fast.next(), slow.next()
    start, half = ({"type": f"test.{what}", "properties": {"name": name}} for what in ("a", "b"))
    weir.source.publish([start])
    weir.source.publish_wrapped(sent[: len(sent) // 2])
    weir.source.publish([half])
    got = fast.until(lambda event: event["payload"] == half)
    late = SseClient(f"{weir.url}/global/event")
    weir.source.publish_wrapped([*sent[len(sent) // 2 :], {"payload": MARKER}])
    plain = fold([*(e["payload"] for e in sent), half, MARKER]).view()
    for stream, size, before in ((fast, 65536, got), (slow, 1024, []), (late, 65536, None)):
        payloads = [e["payload"] for e in (before or []) + _read_to_marker(stream, size)]
        stream.close()
        if before is None:
            assert _of_same_sessions(fold(payloads).view(), plain)
        else:  # before `start` comes what other recordings have left
            found = fold(payloads[payloads.index(start) + 1 :]).view()
            assert {**found, "others": _sorted(found)} == {**plain, "others": _sorted(plain)}


def _sorted(view):
    return sorted(view["others"], key=json.dumps)


def _of_same_sessions(found, plain):
    """Tell whether one who came late holds all that is; what happened earlier it did not hear."""
    tables = ("sessions", "status", "messages", "parts", "permissions", "questions", "todos")
    for table in tables:
        assert {key: found[table].get(key) for key in plain[table]} == plain[table]
    return True


def _read_to_marker(stream, size):
    got = []
    while not (got and is_marker(got[-1])):
        got += [json.loads(event.data) for event in stream.read(size)]
    return got


def test_a_reader_that_never_reads_delays_nobody(weir):
    stalled = [SseClient(weir.url + HERE, receive_buffer=2048) for _ in range(10)]
    with SseClient(weir.url + HERE) as fast:
        fast.next()
        for _ in range(10):
            weir.source.publish([*storm(3000), MARKER])
            assert text_of(fast.until(is_marker)) == text_of(storm(3000))
            assert get_json(f"{weir.url}/global/health")[1]["healthy"] is True
    for stream in stalled:
        stream.close()


def test_a_reader_that_falls_off_the_log_is_caught_up_in_place(gateway):
    weir, rounds = gateway(), 25
    part = {"id": "p", "messageID": "m", "sessionID": "ses_1", "type": "text", "text": ""}
    begun = {"sessionID": "ses_1", "part": part, "time": 1}
    with (
        SseClient(weir.url + HERE) as fast,
        SseClient(weir.url + HERE, receive_buffer=2048) as slow,
    ):
        fast.next(), slow.next()
        weir.source.publish([{"type": "message.part.updated", "properties": begun}])
        for _ in range(rounds):
            weir.source.publish([*storm(3000), MARKER])
            fast.until(is_marker)
        whole, shown, told = rounds * text_of(storm(3000)), "", 0
        while len(shown) < len(whole):
            event = json.loads(slow.next().data)
            told += event["type"] == "message.part.updated"
            shown = event["properties"]["part"]["text"] if told == 2 else shown + text_of([event])
    assert shown == whole
    with urlopen(f"{weir.url}/metrics") as reply:
        assert b'weir_catch_ups_total{verdict="caught_up"} 1\n' in reply.read()


def test_two_workers_serve_the_same_stream(gateway):
    weir = gateway(workers=2)
    streams = [SseClient(weir.url + HERE) for _ in range(16)]
    for stream in streams:
        stream.next()
    publisher = threading.Thread(target=weir.source.publish, args=([*storm(5000), MARKER],))
    publisher.start()
    for stream in streams:
        assert text_of(stream.until(is_marker)) == text_of(storm(5000))
        stream.close()
    publisher.join()


def test_malformed_frames_on_the_bus_are_counted_and_passed_over(weir):
    with SseClient(weir.url + HERE) as stream:
        stream.next()
        for frame in (b"", b"\xc1", b"{}", b"\x92\x01\x90" * 3, b"\x00" * 100_000):
            weir.source.socket.send(frame)
        weir.source.publish([MARKER])
        assert is_marker(json.loads(stream.next().data))
    assert weir.running.says("malformed bus frame")


def test_a_huge_event_reaches_a_slow_reader_whole(weir):
    huge = {"type": "tomorrow.came", "properties": {"text": "é" * 3_000_000}}
    with SseClient(weir.url + HERE, receive_buffer=16384) as stream:
        stream.next()
        weir.source.publish([huge, MARKER])
        assert stream.until(is_marker) == [huge, MARKER]


def test_a_client_of_http_1_0_gets_the_stream_unchunked(weir):
    parts = urlsplit(weir.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=DEADLINE_S) as sock:
        sock.sendall(f"GET {HERE} HTTP/1.0\r\n\r\n".encode())
        got = b""
        while b"server.connected" not in got:
            got += sock.recv(65536)
    assert b"chunked" not in got.lower()
    assert got.partition(b"\r\n\r\n")[2].startswith(b"retry: ")
