"""A body in chunks: decoded the same in whatever pieces it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.door.chunks import MANY_CHUNKS, Chunks
from gateway.proxy.failures import Refusal

BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
EXTENSION = st.sampled_from([b"", b";a", b" ;a=b", b';a="b;c"'])


def decoded(data, sizes=()):
    """Feed `data` in pieces of these sizes, the rest at once; return body, decoder and rest."""
    chunks, ahead, body = Chunks(), bytearray(), b""
    for size in [*sizes, len(data)]:
        ahead += data[:size]
        data = data[size:]
        body += chunks.decode(ahead)
    return body, chunks, bytes(ahead)


@given(BODIES, EXTENSION, st.lists(st.integers(1, 5), max_size=60))
def test_pieces_do_not_matter_and_what_follows_is_left_alone(pieces, extension, sizes):
    wire = b"".join(b"%X%b\r\n%b\r\n" % (len(p), extension, p) for p in pieces)
    wire += b"000\r\nX-Sum: 9\r\n\r\nGET / HTTP/1.1"
    body, chunks, rest = decoded(wire, sizes)
    assert body == b"".join(pieces)
    assert chunks.ended
    assert chunks.trailers == [(b"X-Sum", b"9")]
    assert rest == b"GET / HTTP/1.1"


@given(BODIES, st.data())
def test_a_body_that_is_not_whole_has_not_ended(pieces, data):
    wire = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    cut = data.draw(st.integers(0, len(wire) - 1))
    body, chunks, _ = decoded(wire[:cut])
    assert not chunks.ended
    assert b"".join(pieces).startswith(body)


def test_one_call_decodes_so_many_chunks_and_no_more():
    chunks, ahead = Chunks(), bytearray(b"1\r\nx\r\n" * (2 * MANY_CHUNKS + 1) + b"0\r\n\r\n")
    got, crowded = [], []
    while not chunks.ended:
        got.append(len(chunks.decode(ahead)))
        crowded.append(chunks.crowded)
    assert sum(got) == 2 * MANY_CHUNKS + 1
    assert max(got) <= MANY_CHUNKS
    assert crowded == [True, True, False]


@pytest.mark.parametrize(
    "wire",
    [
        *(b"\r\n", b"x\r\n", b"-1\r\n", b" 1\r\na\r\n", b"0x1\r\na\r\n", b"1 \r\na\r\n"),
        *(b"1\na\n", b"1\r\nab\r\n", b"1\r\na\n", b"1\r\na\rb", b"1;\x00\r\na\r\n", b"1;a\rb\r\n"),
        *(b"1" * 16 + b"\r\n", b"1;" + b"x" * 5000, b"0\r\nX\r\n\r\n", b"0\r\n X: y\r\n\r\n"),
        *(b"0\r\nContent-Length: 1\r\n\r\n", b"0\r\nAuthorization: x\r\n\r\n"),
        b"0\r\n" + b"X: y\r\n" * 4000,
    ],
)
def test_what_is_no_chunk_is_refused(wire):
    with pytest.raises(Refusal):
        decoded(wire)
    with pytest.raises(Refusal):
        decoded(wire, [1] * len(wire))
