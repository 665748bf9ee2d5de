"""WebSockets through the gateway: bytes as they are, both ways, and every way to end."""

import hashlib
import signal
import socket
import threading

import pytest

from tests.blackbox.proxied import header, headers_of, proxied
from tests.fakes.http_upstream import OK, answer
from tests.http_client import call
from tests.processes import DEADLINE_S, wait_until
from tests.raw_client import RawClient
from tests.websocket import ASKS, BINARY, CLOSE, KEY, PING, SWITCHES, TEXT, frame

ROUTE = "/pty/pty_1/connect"
ALL_BYTES = bytes(range(256)) * 64
LARGE = 48 * 1024 * 1024
PIECE = ALL_BYTES * 4
GOING_AWAY = frame((1001).to_bytes(2, "big"), CLOSE)


@pytest.fixture(scope="module")
def weir():
    with proxied("--upstream-timeout", "0.3", "--cors", "https://app.example") as running:
        yield running


@pytest.fixture
def stopping():
    """One of the test's own, which it stops or reloads."""
    with proxied("--drain", "3") as running:
        yield running


def switching(then):
    """A script that accepts the handshake, and goes on with `then`."""

    def script(talk):
        if b"upgrade: websocket" in talk.head().lower():
            talk.say(SWITCHES)
            then(talk)

    return script


def echo(talk):
    while data := talk.connection.recv(65536):
        talk.say(data)


def opened(weir, *headers, ahead=b""):
    client = weir.client()
    lines = [f"GET {ROUTE} HTTP/1.1", f"Host: {client.authority}", *ASKS, *headers, "", ""]
    client.send("\r\n".join(lines).encode() + ahead)
    head = client.head()
    assert head[0] == "HTTP/1.1 101 Switching Protocols", head
    return client, head


def websockets(weir):
    [worker] = call("GET", f"{weir.url}/weir/status").body["workers"]
    return worker["websockets"]


def test_the_handshake_passes_and_bytes_both_ways_are_as_they_were(weir):
    def first(talk):
        talk.say(frame(b"hello"))
        echo(talk)

    def script(talk):
        talk.head()
        talk.say(SWITCHES + frame(b"at once"))  # in one piece with the answer
        first(talk)

    weir.upstream.play(script)
    before = frame(b"early", masked=True)
    client, head = opened(weir, "Sec-WebSocket-Protocol: pty", ahead=before)
    with client:
        assert header(head, "Upgrade") == ["websocket"]
        assert header(head, "Connection") == ["Upgrade"]
        assert header(head, "Sec-WebSocket-Accept") == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
        expected = frame(b"at once") + frame(b"hello") + before
        assert client.read(len(expected)) == expected
        sent = frame(ALL_BYTES, BINARY, masked=True) + frame(b"", PING, masked=True) + ALL_BYTES
        client.send(sent)
        assert client.read(len(sent)) == sent
        assert websockets(weir) == 1
    wait_until(lambda: websockets(weir) == 0, what="its end")
    [request] = weir.upstream.heads
    said = headers_of(request)
    assert (said["connection"], said["upgrade"]) == ("Upgrade", "websocket")
    assert (said["sec-websocket-key"], said["sec-websocket-protocol"]) == (KEY, "pty")
    assert said["x-forwarded-for"] == "127.0.0.1"


def test_a_refusal_of_the_upstream_is_an_ordinary_answer_and_no_frame_is_a_request(weir):
    no = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nnope"
    weir.upstream.play(answer(no))
    with weir.client() as client:
        client.get(ROUTE, *ASKS)
        client.send(b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        head = client.head()
        assert head[0] == "HTTP/1.1 404 Not Found"
        assert header(head, "Connection") == ["close"]
        assert client.rest() == (b"nope", "end")
    assert len(weir.upstream.heads) == 1


def test_a_slow_client_stops_the_upstream_and_gets_all(weir):
    sent, stuck = hashlib.sha256(), threading.Event()

    def flood(talk):
        talk.connection.settimeout(1)
        for _ in range(LARGE // len(PIECE)):
            sent.update(PIECE)
            rest = memoryview(PIECE)
            while rest:
                try:
                    rest = rest[talk.connection.send(rest) :]
                except TimeoutError:
                    stuck.set()

    weir.upstream.play(switching(flood))
    client, _ = opened(weir)
    with client:
        assert stuck.wait(DEADLINE_S), "the upstream was never stopped"
        got, left = hashlib.sha256(), LARGE
        while left:
            data = client.read(min(left, 65536))
            got.update(data)
            left -= len(data)
        assert client.rest() == (b"", "end")
    assert got.digest() == sent.digest()


def test_a_slow_upstream_stops_the_client_and_gets_all(weir):
    go, got, total = threading.Event(), hashlib.sha256(), []

    def slow(talk):
        go.wait(DEADLINE_S)
        size = 0
        while data := talk.connection.recv(65536):
            got.update(data)
            size += len(data)
        total.append(size)
        talk.say(b"all")

    weir.upstream.play(switching(slow))
    client, _ = opened(weir)
    with client:
        sent, size = hashlib.sha256(), 0
        client.socket.settimeout(1)
        while size < LARGE:
            try:
                taken = client.socket.send(PIECE)
            except TimeoutError:
                go.set()
                continue
            sent.update(PIECE[:taken])
            size += taken
        assert go.is_set(), "the client was never stopped"
        client.socket.settimeout(DEADLINE_S)
        client.socket.shutdown(socket.SHUT_WR)  # half of the connection goes on
        assert client.rest() == (b"all", "end")
    assert (total, got.digest()) == ([size], sent.digest())


def test_an_end_of_the_upstream_leaves_the_client_its_words(weir):
    heard = []

    def script(talk):
        talk.say(frame(b"bye"))
        talk.connection.shutdown(socket.SHUT_WR)
        heard.append(talk.until(b"last"))

    weir.upstream.play(switching(script))
    client, _ = opened(weir)
    with client:
        assert client.rest() == (frame(b"bye"), "end")
        client.send(b"the last")
        wait_until(lambda: heard == [b"the last"])


@pytest.mark.parametrize("leave", ["reset", "end"])
def test_a_client_that_leaves_ends_the_upstream_connection(weir, leave):
    gone = []
    weir.upstream.play(switching(lambda talk: gone.append(talk.until_gone())))
    client, _ = opened(weir)
    client.reset() if leave == "reset" else client.socket.close()
    wait_until(lambda: gone, what="the end at the upstream")
    wait_until(lambda: websockets(weir) == 0, what="its place")


def test_an_upstream_that_dies_ends_the_client_connection_after_its_last_bytes(weir):
    def script(talk):
        talk.say(frame(b"half")[:3])
        talk.until(b"now")
        talk.reset()

    weir.upstream.play(switching(script))
    client, _ = opened(weir)
    with client:
        client.read(3)
        client.send(b"now")
        assert client.rest() == (b"", "end")


def test_an_idle_one_outlives_the_patience_with_the_upstream(weir):
    """An ordinary request beside it shows that the patience was over several times."""
    probed = []

    def script(talk):
        head = talk.head()
        if b"upgrade: websocket" in head.lower():
            talk.say(SWITCHES)
            echo(talk)
        elif b"/global/health" in head:
            probed.append(head)
            talk.say(OK)
        else:
            talk.until_gone()

    weir.upstream.play(script)
    client, _ = opened(weir)
    with client, weir.client() as other:
        other.get("/held")
        wait_until(lambda: len(probed) >= 3, what="probes")
        client.send(b"still here")
        assert client.read(10) == b"still here"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://app.example.evil", "http://127.0.0.2:1"],
)
def test_a_page_of_another_origin_opens_none(weir, origin):
    weir.upstream.play(switching(echo))
    with weir.client() as client:
        client.get(ROUTE, *ASKS, f"Origin: {origin}")
        status, _, body = client.json()
    assert (status, body["name"]) == (403, "ForbiddenError")
    assert origin in body["data"]["message"]
    assert not [head for head in weir.upstream.heads if head.startswith(b"GET /pty")]


@pytest.mark.parametrize("origin", ["{own}", "https://app.example", "http://localhost:3000"])
def test_pages_of_this_server_and_those_that_may_call_open_one(weir, origin):
    weir.upstream.play(switching(echo))
    opened(weir, f"Origin: {origin.format(own=weir.url)}")[0].socket.close()


def test_other_protocols_are_refused_by_name_and_an_offer_of_http2_is_declined(weir):
    weir.upstream.play(answer(OK))
    with weir.client() as client:
        client.get("/x", "Connection: Upgrade", "Upgrade: irc")
        status, _, body = client.json()
        assert (status, body["name"]) == (501, "NotImplementedError")
        assert "'irc'" in body["data"]["message"]
        offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
        client.get("/x", *offer)
        assert client.head()[0] == "HTTP/1.1 200 OK"
    [head] = weir.upstream.heads
    assert b"h2c" not in head.lower()
    assert b"settings" not in head.lower()


def test_a_handshake_that_lost_a_header_is_400_with_the_reason(weir):
    weir.upstream.play(answer(OK))
    with weir.client() as client:
        client.get(ROUTE, "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}")
        status, _, body = client.json()
    assert status == 400
    assert "Connection: Upgrade" in body["data"]["message"]
    assert weir.upstream.heads == []


@pytest.mark.parametrize("path", ["/event", "/global/event", "/weir/status", "/EVENT/"])
def test_a_route_of_weirs_own_is_no_websocket(weir, path):
    with weir.client() as client:
        client.get(path, *ASKS)
        status, _, body = client.json()
    assert status == 501
    assert "SSE" in body["data"]["message"]


def test_a_weir_without_upstream_refuses_in_json(gateway):
    with RawClient(gateway().url) as client:
        client.get(ROUTE, *ASKS)
        status, _, body = client.json()
    assert (status, body["name"]) == (501, "NotImplementedError")
    assert "--upstream" in body["data"]["message"]


def test_what_ends_them_is_counted(weir):
    def closed():
        return call("GET", f"{weir.url}/weir/status").body["counts"]["websockets"]

    before = closed()
    weir.upstream.play(switching(lambda talk: None))
    client, _ = opened(weir)
    with client:
        client.rest()
    wait_until(lambda: closed() == {**before, "upstream": before["upstream"] + 1})


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM])
def test_a_worker_that_ends_says_goodbye_behind_the_last_whole_frame(stopping, how):
    heard, at_work = [], threading.Event()

    def script(talk):
        talk.say(frame(b"first"))
        at_work.set()
        heard.append(talk.until_gone())
        heard.append(talk.last_words)

    stopping.upstream.play(switching(script))
    client, _ = opened(stopping)
    answer_to_close = frame((1001).to_bytes(2, "big"), CLOSE, masked=True)
    with client:
        client.read(len(frame(b"first")))
        stopping.gateway.running.process.send_signal(how)
        assert client.read(len(GOING_AWAY)) == GOING_AWAY
        client.send(answer_to_close)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.rest() == (b"", "end")
    wait_until(lambda: heard == ["end", answer_to_close], what="the close frame at the upstream")
    if how == signal.SIGHUP:
        stopping.upstream.play(switching(echo))
        opened(stopping)[0].socket.close()  # by the new worker
        wait_until(lambda: "1 WebSockets were closed" in stopping.gateway.running.output)
    else:
        assert stopping.gateway.running.ends() == 0


def test_within_a_frame_there_is_no_goodbye(stopping):
    half = frame(bytes(1000), TEXT)[:500]

    def script(talk):
        talk.say(half)
        talk.until_gone()

    stopping.upstream.play(switching(script))
    client, _ = opened(stopping)
    with client:
        client.read(len(half))
        stopping.gateway.running.process.send_signal(signal.SIGHUP)
        assert client.rest() == (b"", "end")
