"""What the client gets: status, headers, body and trailers as the upstream sent them."""

import gzip
import hashlib
import threading

import pytest

from tests.benchmarks import process_tree
from tests.blackbox.proxied import header, headers_of, proxied
from tests.fakes.http_upstream import OK, answer
from tests.processes import DEADLINE_S

MIB = 1 << 20


@pytest.fixture(scope="module")
def weir():
    with proxied() as running:
        yield running


def ask(weir, data, *headers, method="GET", version="1.1"):
    """Send a request that the upstream answers with `data`; return all that comes."""
    weir.upstream.play(answer(data))
    with weir.client() as client:
        request = [f"{method} /x HTTP/{version}", "Host: x", "Connection: close", *headers, "", ""]
        client.send("\r\n".join(request).encode())
        return client.rest()[0]


def test_status_reason_and_headers_pass_in_order_with_nothing_added(weir):
    lines = [
        b"HTTP/1.1 299 Quite Fine, \xfcber",
        b"Set-Cookie: a=1; Path=/",
        b"x-lower: 1",
        b"Server: Bun",
        b"Set-Cookie: b=2",
        b"X-EMPTY:",
        b"Vary: Accept",
        b"Access-Control-Allow-Origin: https://theirs.example",
        b"Content-Length: 2",
    ]
    dropped = [b"Connection: X-Mine", b"X-Mine: 1", b"Keep-Alive: timeout=5", b"Upgrade: h2c"]
    got = ask(weir, b"\r\n".join([*lines, *dropped, b"", b"ok"]), "Origin: http://localhost:3000")
    lines[5] = b"X-EMPTY: "
    assert got == b"\r\n".join([*lines, b"Connection: close", b"", b"ok"])


@pytest.mark.parametrize("status", [200, 201, 302, 304, 400, 401, 404, 418, 500, 503])
def test_every_status_passes(weir, status):
    body = b"" if status == 304 else b"ok"
    got = ask(weir, b"HTTP/1.1 %d S\r\nContent-Length: 2\r\n\r\n%b" % (status, body))
    assert got.startswith(b"HTTP/1.1 %d S\r\nContent-Length: 2\r\n" % status)
    assert got.endswith(b"\r\n\r\n" + body)


def test_an_answer_to_head_has_its_headers_and_no_body(weir):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    got = ask(weir, head, method="HEAD")
    assert got == head[:-2] + b"Connection: close\r\n\r\n"
    weir.upstream.play(answer(head))
    with weir.client() as client:
        for _ in range(2):
            client.get("/x", method="HEAD")
            assert client.until(b"\r\n\r\n") == head


def test_chunks_pass_with_their_trailers(weir):
    data = (
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 7\r\nX-Sum: 8\r\nConnection: close\r\n\r\n"
    )
    head, _, body = ask(weir, data).partition(b"\r\n\r\n")
    assert b"Trailer: X-Sum" in head
    assert b"Transfer-Encoding: chunked" in head
    assert body == b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 7\r\nX-Sum: 8\r\n\r\n"


def test_a_body_without_a_length_ends_with_a_chunk_and_the_connection_goes_on(weir):
    def script(talk):
        talk.head()
        talk.say(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    weir.upstream.play(script)
    with weir.client() as client:
        for _ in range(2):
            client.get("/x")
            assert header(client.head(), "Transfer-Encoding") == ["chunked"]
            assert client.until(b"0\r\n\r\n") == b"9\r\nall of it\r\n0\r\n\r\n"


def test_a_client_of_http_1_0_gets_no_chunks(weir):
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
    head, _, body = ask(weir, data, version="1.0").partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert body == b"abc"


def test_a_client_of_http_1_0_may_keep_its_connection(weir):
    weir.upstream.play(answer(OK))
    with weir.client() as client:
        for _ in range(2):
            client.send(b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert header(client.head(), "Connection") == ["keep-alive"]
            assert client.read(2) == b"ok"


def test_an_answer_before_the_answer_passes(weir):
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    assert ask(weir, hints + OK).startswith(hints + b"HTTP/1.1 200 OK\r\n")
    assert ask(weir, hints + OK, version="1.0").startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_compressed_body_passes_untouched(weir):
    packed = gzip.compress(b"text " * 1000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    got = ask(weir, head + packed, "Accept-Encoding: gzip")
    assert b"Content-Encoding: gzip" in got
    assert got.partition(b"\r\n\r\n")[2] == packed
    assert headers_of(weir.upstream.heads[0])["accept-encoding"] == "gzip"


def test_each_event_of_a_stream_leaves_at_once(weir):
    seen = threading.Event()

    def script(talk):
        talk.head()
        talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        talk.say(b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(20):
            event = b"data: %d\n\n" % number
            talk.say(b"%x\r\n%b\r\n" % (len(event), event))
            seen.wait(DEADLINE_S)
            seen.clear()
        talk.say(b"0\r\n\r\n")

    weir.upstream.play(script)
    with weir.client() as client:
        client.get("/api/progress")
        client.head()
        for number in range(20):
            assert client.until(b"\n\n").endswith(b"data: %d\n\n" % number)
            seen.set()
        client.until(b"0\r\n\r\n")


def test_a_large_download_and_a_large_upload_arrive_whole_while_others_are_served(weir):
    pattern = bytes(range(256)) * 256
    count = 64 * MIB // len(pattern)

    def script(talk):
        head = talk.head()
        if head.startswith(b"GET /small"):
            talk.say(OK)
            return
        left, received = int(headers_of(head)["content-length"]), hashlib.sha256()
        while left:
            piece = talk.read(min(left, 65536))
            received.update(piece)
            left -= len(piece)
        talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % (count * len(pattern)))
        talk.say(b"X-Received: %b\r\n\r\n" % received.hexdigest().encode())
        for _ in range(count):
            talk.say(pattern)

    weir.upstream.play(script)
    expected = hashlib.sha256(pattern * count).hexdigest()
    workers = [p.pid for p in process_tree.below(weir.gateway.running.process.pid)]
    before_mb = sum(map(process_tree.own_mb, workers))
    with weir.client() as client:
        client.send(b"POST /f HTTP/1.1\r\nHost: x\r\n")
        client.send(b"Content-Length: %d\r\n\r\n" % (count * len(pattern)))
        for _ in range(count):
            client.send(pattern)
        assert header(client.head(), "X-Received") == [expected]
        got = hashlib.sha256()
        for number in range(count):
            got.update(client.read(len(pattern)))
            if number % 256 == 0:
                with weir.client() as other:
                    other.get("/small")
                    assert other.head()[0] == "HTTP/1.1 200 OK"
    assert got.hexdigest() == expected
    assert sum(map(process_tree.own_mb, workers)) - before_mb < 20


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome of it",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nsome of it\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nsome of it\r\nnonsense\r\n",
    ],
)
def test_a_body_that_the_upstream_cuts_is_cut_for_the_client(weir, begun):
    def script(talk):
        talk.head()
        talk.say(begun)

    weir.upstream.play(script)
    with weir.client() as client:
        client.get("/x")
        head, _, body = client.rest()[0].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"some of it" in body
    assert not body.endswith(b"0\r\n\r\n")
    assert len(body) < 1000


def test_a_cut_is_seen_where_only_the_end_of_the_connection_ends_a_body(weir):
    def script(talk):
        talk.head()
        talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome")

    weir.upstream.play(script)
    with weir.client() as client:
        client.send(b"GET /x HTTP/1.0\r\n\r\n")
        assert client.rest()[0].endswith(b"some")  # framed by its length
    cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"

    def cut_chunks(talk):
        talk.head()
        talk.say(cut)

    weir.upstream.play(cut_chunks)
    with weir.client() as client:
        client.send(b"GET /x HTTP/1.0\r\n\r\n")
        assert client.rest()[1] == "reset"
