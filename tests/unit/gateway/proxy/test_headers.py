"""Which headers pass: rules that hold for any headers at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.headers import HOP_BY_HOP, end_to_end, tokens, towards_upstream, values

TOKEN = st.text("abcXYZ-09", min_size=1, max_size=6).map(str.encode)
NAME = TOKEN | st.sampled_from(sorted(HOP_BY_HOP)).map(bytes.title) | st.just(b"X-Forwarded-For")
VALUE = st.text("ab ,;=\xe9", max_size=8).map(lambda text: text.strip().encode("latin-1"))
CONNECTION = st.lists(TOKEN, max_size=3).map(lambda names: (b"Connection", b" ,".join(names)))
HEADERS = st.lists(st.tuples(NAME, VALUE) | CONNECTION, max_size=12)
SET = {b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"}


def ending(headers):
    return HOP_BY_HOP | tokens(headers, b"connection")


@given(HEADERS)
def test_headers_of_one_hop_never_pass_and_all_others_pass_in_order(headers):
    named = ending(headers)
    assert end_to_end(headers) == [h for h in headers if h[0].lower() not in named]


@given(HEADERS, st.sampled_from([None, (b"Content-Length", b"3")]))
def test_the_upstream_gets_all_that_is_not_of_this_hop_or_set_here(headers, body):
    sent = towards_upstream(headers, authority="up:1", client="192.0.2.1", body=body)
    named = ending(headers)
    theirs = [h for h in headers if h[0].lower() not in named | SET]
    mine = [h for h in sent if h[0].lower() not in SET]
    assert [h for h in mine if h != body] == [h for h in theirs if h != body]
    assert sent[0] == (b"Host", b"up:1")
    assert values(sent, b"x-forwarded-proto") == [b"http"]
    (came_by,) = values(sent, b"x-forwarded-for")
    assert came_by == b", ".join([*values(headers, b"x-forwarded-for"), b"192.0.2.1"])


@given(HEADERS)
def test_a_body_is_always_framed_once(headers):
    framed = [*headers, (b"Content-Length", b"3")]
    body = (b"Content-Length", b"3")
    sent = towards_upstream(framed, authority="u", client="c", body=body)
    assert values(sent, b"content-length") == [b"3"]


def test_trailer_passes_for_it_announces_what_passes_too():
    announced = [(b"Trailer", b"X-Sum")]
    assert end_to_end(announced) == announced


@pytest.mark.parametrize("trusted", [False, True])
def test_only_a_trusted_proxy_says_what_the_client_wrote(trusted):
    said = [
        (b"Host", b"weir:1"),
        (b"X-Forwarded-For", b"203.0.113.7"),
        (b"x-forwarded-host", b"chat.example"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Protocol", b"https"),
        (b"X-Forwarded-Ssl", b"on"),
    ]
    sent = towards_upstream(said, authority="u", client="192.0.2.1", body=None, trusted=trusted)
    assert values(sent, b"x-forwarded-host") == [b"chat.example" if trusted else b"weir:1"]
    assert values(sent, b"x-forwarded-proto") == [b"https" if trusted else b"http"]
    assert values(sent, b"x-forwarded-for") == [b"203.0.113.7, 192.0.2.1"]
    assert values(sent, b"x-forwarded-ssl") == [b"on"]


def test_a_trusted_proxy_that_says_nothing_leaves_it_to_weir():
    said = [
        (b"Host", b"weir:1"),
        (b"X-Forwarded-Host", b""),
        (b"X-Forwarded-Proto", b""),
    ]
    sent = towards_upstream(said, authority="u", client="192.0.2.1", body=None, trusted=True)
    assert values(sent, b"x-forwarded-host") == [b"weir:1"]
    assert values(sent, b"x-forwarded-proto") == [b"http"]


def test_connection_does_not_remove_the_folder_that_weir_has_checked():
    for spelt in (b"keep-alive, x-opencode-directory", b"X-Opencode-Directory"):
        sent = towards_upstream(
            [(b"Connection", spelt), (b"X-Opencode-Directory", b"/srv/a")],
            authority="u",
            client="c",
            body=None,
        )
        assert values(sent, b"x-opencode-directory") == [b"/srv/a"]
