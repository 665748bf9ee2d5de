"""Requests that are refused: in words, without a secret, and without a trace at the upstream."""

import pytest

from tests.blackbox.proxied import proxied
from tests.processes import wait_until


@pytest.fixture(scope="module")
def weir():
    with proxied() as running:
        yield running


def test_a_malformed_request_is_refused_in_json(weir):
    for request, status in (
        (b"GET /x HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (
            b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
    ):
        with weir.client() as client:
            client.send(request)
            got, _, body = client.json()
        assert got == status
        assert body["data"]["message"]


def test_a_further_transfer_coding_is_refused_instead_of_being_lost(weir):
    with weir.client() as client:
        head = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
        client.send(head + b"0\r\n\r\n")
        status, _, body = client.json()
    assert status == 501
    assert "content-encoding" in body["data"]["message"]


@pytest.mark.parametrize(
    "request_line_or_header",
    [
        "GET /x?auth_token=czNjcmV0 and a blank HTTP/1.1",
        "GET /x?auth_token=czNjcmV0\x01 HTTP/1.1",
        "GET http://u:czNjcmV0@h/x?auth_token=czNjcmV0 HTTP/9",
        "GET /x HTTP/1.1\r\nAuthorization Basic czNjcmV0",
        "GET /x HTTP/1.1\r\nAuthorization: Basic czNjcmV0\r\nX\x00czNjcmV0: y",
        "POST /x?auth_token=czNjcmV0 HTTP/1.1\r\nTransfer-Encoding: gzip",
        "POST /event?auth_token=czNjcmV0 HTTP/1.1\r\nExpect: czNjcmV0",
    ],
)
def test_no_secret_of_a_malformed_request_is_logged_or_answered(weir, request_line_or_header):
    with weir.client() as client:
        client.send(f"{request_line_or_header}\r\nHost: x\r\n\r\n".encode("latin-1"))
        assert b"czNjcmV0" not in client.rest()[0]
    assert "czNjcmV0" not in weir.gateway.running.output


def test_a_body_that_is_not_http_is_refused_and_the_upstream_is_not_told_that_it_ended(weir):
    got = []

    def script(talk):
        talk.head()
        talk.until_gone()
        got.append(talk.last_words)

    weir.upstream.play(script)
    with weir.client() as client:
        client.send(b"POST /f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"nonsense\r\n")
        status, _, body = client.json()
    assert status == 400
    assert "malformed" in body["data"]["message"]
    wait_until(lambda: got, what="its end")
    assert b"0\r\n\r\n" not in got[0]
