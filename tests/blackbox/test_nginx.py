"""The nginx example as a real nginx reads it: streams, requests and terminal panes."""

import json
import shutil
import subprocess
from urllib.parse import quote

import pytest

from tests.blackbox.nginx import PROGRAM, nginx
from tests.blackbox.proxied import headers_of, proxied
from tests.blackbox.source import MARKER
from tests.envelopes import DIRECTORY
from tests.fakes.http_upstream import OK
from tests.processes import DEADLINE_S, wait_until
from tests.raw_client import RawClient
from tests.sse_client import SseClient
from tests.websocket import ASKS, SWITCHES

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")

EVENTS = f"/event?directory={quote(DIRECTORY)}"
LARGE = b"x" * 3_000_000
"""More than nginx lets pass unless it is told to."""


@pytest.fixture(scope="module")
def weir():
    with proxied("--trusted-proxies", "127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
def urls(weir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nginx")
    with nginx(folder, weir.url) as where:
        yield where


@pytest.fixture(scope="module")
def url(urls):
    return urls[0]


@pytest.mark.parametrize("path", [EVENTS, "/global/event"])
def test_events_of_a_stream_pass_one_by_one_as_they_come(weir, url, path):
    with SseClient(url + path) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        stream.next()
        for number in range(3):
            marker = {**MARKER, "properties": {"number": number}}
            weir.gateway.source.publish([marker])
            event = stream.next()  # would wait for ever, were it kept back
            payload = json.loads(event.data)
            assert payload.get("payload", payload) == marker
            assert event.id


def test_a_request_passes_to_the_upstream_and_its_answer_back(weir, url):
    got = []

    def script(talk):
        got.append(headers_of(talk.head()))
        got.append(talk.read(int(got[0]["content-length"])))
        talk.say(OK)

    weir.upstream.play(script)
    with RawClient(url) as client:
        client.get("/session?x=%2F", f"Content-Length: {len(LARGE)}", method="POST")
        client.send(LARGE)
        assert client.head()[0] == "HTTP/1.1 200 OK"
        assert client.read(2) == b"ok"
    head, body = got
    assert weir.upstream.heads[0].startswith(b"POST /session?x=%2F HTTP/1.1\r\n")
    assert body == LARGE
    assert head["x-forwarded-for"].startswith("127.0.0.1")
    assert head["x-forwarded-proto"] == "http"


def test_a_terminal_pane_passes(weir, url):
    def script(talk):
        if b"upgrade: websocket" in talk.head().lower():
            talk.say(SWITCHES)
            talk.say(talk.until(b"there").replace(b"there", b"back"))
            talk.until_gone()

    weir.upstream.play(script)
    with RawClient(url) as client:
        client.get("/pty/pty_1/connect", *ASKS)
        assert client.head()[0] == "HTTP/1.1 101 Switching Protocols"
        client.send(b"there")
        assert client.until(b"back") == b"back"
    [head] = weir.upstream.heads
    assert b"\r\nconnection: upgrade\r\n" in head.lower()
    assert b"\r\nx-forwarded-for: 127.0.0.1, 127.0.0.1\r\n" in head.lower()


def test_an_upstream_that_is_cut_is_told_as_a_cut(weir, url):
    def script(talk):
        talk.head()
        talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        talk.reset()

    weir.upstream.play(script)
    with RawClient(url) as client:
        client.get("/file")
        client.head()
        rest, _ = client.rest()
    assert b"half" in rest
    assert not rest.endswith(b"0\r\n\r\n")
    assert len(weir.upstream.heads) == 1


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_nine_tabs_over_tls_share_a_connection_and_can_send(weir, urls, tmp_path):
    requests = []

    def script(talk):
        requests.append(headers_of(talk.head()))
        talk.say(OK)

    weir.upstream.play(script)
    tabs = [f"{urls[1]}{EVENTS}&tab={number}" for number in range(9)]
    form = ["--write-out", "\n%{http_version} %{num_connects} %{response_code}\n"]
    curl = ["curl", "--silent", "--insecure", "--http2", "--parallel", "--parallel-max", "20"]
    command = [*curl, "--no-buffer", *form, *tabs, f"{urls[1]}/session"]
    shown = tmp_path / "shown"
    with shown.open("wb") as out, subprocess.Popen(command, stdout=out) as process:
        # The answer to the last request is there while all nine streams are open.
        wait_until(lambda: shown.read_text().count('"server.connected"') == 9, what="streams")
        wait_until(lambda: "\n2 " in shown.read_text(), what="an answer")
        end = {"type": "server.instance.disposed", "properties": {"directory": DIRECTORY}}
        weir.gateway.source.publish([end])
        assert process.wait(DEADLINE_S) == 0
    told = [line.split() for line in shown.read_text().splitlines() if line.startswith("2 ")]
    assert [status for _, _, status in told] == ["200"] * 10
    assert sum(int(connections) for _, connections, _ in told) == 1
    [headers] = requests
    assert headers["x-forwarded-proto"] == "https"
