"""Whatever an upstream says, a client can tell where the answer ends, and reads the same body."""

import h11
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.framing import BodyEnding, BodyFraming

PIECES = st.lists(st.binary(max_size=20), max_size=6)
STATUS = st.sampled_from([200, 204, 206, 304, 404, 500])


def said_length(pieces):
    return [(b"Content-Length", b"%d" % sum(map(len, pieces)))]


@given(STATUS, st.sampled_from(["GET", "HEAD", "POST"]), PIECES, st.booleans(), st.booleans())
def test_a_client_reads_the_body_that_the_upstream_sent(status, method, pieces, length, keep):
    framing = BodyFraming(method, http11=True, keep_alive=keep)
    headers = [*(said_length(pieces) if length else []), (b"X-A", b"1"), (b"X-A", b"2")]
    wire = framing.informational(103, b"Early", [(b"Link", b"<x>")])
    wire += framing.head(status, b"Fine", headers)
    bare = method == "HEAD" or status in (204, 304)
    for piece in pieces:
        wire += framing.data(piece)
    wire += framing.end([(b"X-Sum", b"9"), (b"Keep-Alive", b"1")])
    assert framing.keep_alive is keep

    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(wire)
    assert client.next_event().status_code == 103
    head = client.next_event()
    assert (head.status_code, head.reason) == (status, b"Fine")
    assert [value for name, value in head.headers if name == b"x-a"] == [b"1", b"2"]
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert body == (b"" if bare else b"".join(pieces))
    chunked = framing.ending is BodyEnding.CHUNKS
    assert event.headers.raw_items() == ([(b"X-Sum", b"9")] if chunked else [])
    assert client.trailing_data[0] == b""


@given(PIECES)
def test_a_client_of_http_1_0_gets_plain_bytes_until_the_end_of_the_connection(pieces):
    framing = BodyFraming("GET", http11=False, keep_alive=True)
    assert framing.informational(103, b"Early", []) == b""
    head = framing.head(200, b"OK", [(b"Transfer-Encoding", b"chunked")])
    assert head == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    assert b"".join(map(framing.data, pieces)) + framing.end([(b"X", b"1")]) == b"".join(pieces)
    assert not framing.keep_alive


def test_of_two_lengths_the_chunks_count():
    framing = BodyFraming("GET", http11=True, keep_alive=True)
    both = [(b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")]
    assert framing.head(200, b"OK", both) == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    )


def test_a_length_that_connection_names_still_frames_the_body():
    framing = BodyFraming("GET", http11=True, keep_alive=True)
    named = [(b"Content-Length", b"3"), (b"Connection", b"content-length")]
    assert framing.head(200, b"OK", named) == b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
