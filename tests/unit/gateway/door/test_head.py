"""The head of a request: what passes, what is refused, and that neither depends on pieces."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.door.head import parse
from gateway.proxy.failures import Refusal


def head(line=b"GET /x HTTP/1.1", *fields):
    return parse(b"\r\n".join([line, *fields]))


def refused(*lines):
    with pytest.raises(Refusal) as error:
        head(*lines)
    return error.value


def reason(lines):
    try:
        head(*lines)
    except Refusal as refusal:
        return refusal.message
    return ""


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30))
def test_a_target_in_origin_form_is_not_touched(rest):
    assert head(f"GET /{rest} HTTP/1.1".encode()).target == f"/{rest}".encode()


@given(st.text(st.characters(exclude_categories=["Cs"], min_codepoint=128), max_size=12))
def test_letters_past_ascii_count_as_percent_encoded(text):
    assert head(f"GET /a?d=/{text} HTTP/1.1".encode()).target == f"/a?d=/{quote(text)}".encode()


@given(st.text(max_size=12))
def test_an_absolute_target_keeps_path_and_query(text):
    path = f"/{quote(text)}?q"
    assert head(f"GET http://host:1{path} HTTP/1.1".encode()).target == path.encode()


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (b"GET http://h HTTP/1.1", b"/"),
        (b"GET http://h?q HTTP/1.1", b"/?q"),
        (b"OPTIONS * HTTP/1.1", b"*"),
    ],
)
def test_an_absolute_target_without_a_path_gets_one(line, target):
    assert head(line).target == target


def test_headers_keep_their_order_and_their_spelling():
    fields = [b"api_key: 1", b"X-Odd:\tcaf\xe9 \t;, =\t", b"X-Empty:", b"api_key: 2"]
    assert head(b"GET / HTTP/1.1", *fields).headers == [
        (b"api_key", b"1"),
        (b"X-Odd", b"caf\xe9 \t;, ="),
        (b"X-Empty", b""),
        (b"api_key", b"2"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"GET", b"GET /", b"GET / HTTP/2.0", b"GET / HTTP/1.12", b"GET / HTTP/1.1 "),
        *(b"GET  / HTTP/1.1", b"GET /a b HTTP/1.1", b" GET / HTTP/1.1", b"GET\t/ HTTP/1.1"),
        *(b"get / HTTP/1.1", b"G / HTTP/1.1", b"GET / http/1.1", b"GET /\x7f HTTP/1.1"),
        *(b"GET /\x00 HTTP/1.1", b"GET * HTTP/1.1", b"GET x HTTP/1.1", b"GET a:1 HTTP/1.1"),
        *(b"GET /\rx HTTP/1.1", b"GET /\n HTTP/1.1", b"GET ://x HTTP/1.1", b"G\xc3T / HTTP/1.1"),
    ],
)
def test_another_request_line_is_refused(line):
    assert refused(line).status == 400


@pytest.mark.parametrize(
    "field",
    [
        *(b"x", b": x", b"a b: x", b"a : x", b" a: x", b"\ta: x", b"a: \x00", b"a: b\rc"),
        *(b"a: b\nc: d", b"a\xe9: x", b"a: \x7f", b"", b"(a): x"),
        *(b"Authorization Basic c2VjcmV0", b"Host: a\r\nHost: a"),
        *(b"Content-Type: a\r\nContent-Type: b",),
    ],
)
def test_another_header_line_is_refused(field):
    assert refused(b"GET / HTTP/1.1", b"A: b", field).status == 400


@given(st.binary(max_size=40), st.sampled_from([b"GET /?auth_token=%b HTTP/1.1", b"%b", b"X %b"]))
def test_a_reason_never_repeats_what_the_client_sent(secret, where):
    secret = b"s3cret" + secret
    for lines in ([where % secret], [b"GET / HTTP/1.1", where % secret]):
        assert "s3cret" not in reason(lines)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([b"Transfer-Encoding: chunked", b"Content-Length: 1"], 400),
        ([b"Content-Length: 1", b"Content-Length: 1"], 400),
        ([b"Content-Length: 1, 1"], 400),
        ([b"Content-Length: +1"], 400),
        ([b"Content-Length: -1"], 400),
        ([b"Content-Length: 0x1"], 400),
        ([b"Content-Length: \xb2"], 400),
        ([b"Content-Length:"], 400),
        ([b"Content-Length: " + b"1" * 19], 400),
        ([b"Transfer-Encoding: chunked, chunked"], 400),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], 400),
        ([b"Transfer-Encoding: chunked, gzip"], 400),
        ([b"Transfer-Encoding: gzip"], 400),
        ([b"Transfer-Encoding: xchunked"], 400),
        ([b"Transfer-Encoding: identity"], 400),
        ([b"Transfer-Encoding:"], 400),
        ([b"Transfer-Encoding: chunked;x=1"], 400),
        ([b"Transfer-Encoding: gzip, chunked"], 501),
        ([b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"], 501),
        ([b"Expect: 200-ok"], 417),
    ],
)
def test_a_body_that_may_end_in_two_places_is_refused(fields, status):
    assert refused(b"POST /x HTTP/1.1", *fields).status == status


def test_chunks_in_http_1_0_are_refused():
    assert refused(b"POST /x HTTP/1.0", b"Transfer-Encoding: chunked").status == 400


def test_a_twin_with_an_underscore_frames_nothing():
    twins = head(b"POST / HTTP/1.1", b"Content_Length: 7", b"Transfer_Encoding: chunked")
    assert (twins.length, twins.chunked) == (0, False)


@pytest.mark.parametrize(
    ("line", "fields", "stays"),
    [
        (b"GET / HTTP/1.1", [], True),
        (b"GET / HTTP/1.1", [b"Connection: x, Close"], False),
        (b"GET / HTTP/1.1", [b"Connection: keep-alive", b"Connection: close"], False),
        (b"GET / HTTP/1.0", [], False),
        (b"GET / HTTP/1.0", [b"Connection: Keep-Alive"], True),
        (b"CONNECT h:1 HTTP/1.1", [], False),
    ],
)
def test_whether_a_connection_stays_open(line, fields, stays):
    assert head(line, *fields).keep_alive is stays
