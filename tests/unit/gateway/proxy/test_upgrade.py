"""Which requests are the handshake of a WebSocket, and which changes of protocol are refused."""

import pytest

from gateway.door.head import parse
from gateway.door.request import Request
from gateway.door.slots import Slots
from gateway.door.slow_lane import SlowLane
from gateway.door.wire import Wire
from gateway.proxy.failures import Refusal
from gateway.proxy.upgrade import asks_for_websocket, names_websocket, refuse_upgrade


def asked(*headers, line="GET /pty/p/connect HTTP/1.1"):
    head = parse("\r\n".join([line, "Host: weir", *headers]).encode())
    return Request(head, Wire(None, "127.0.0.1", Slots(1, 1), SlowLane()))


@pytest.mark.parametrize(
    "headers",
    [
        ["Connection: Upgrade", "Upgrade: websocket"],
        ["connection: keep-alive, UPGRADE", "upgrade: WebSocket"],
        ["Connection: keep-alive", "Connection: upgrade", "Upgrade: websocket"],
    ],
)
def test_a_handshake_is_one_in_any_spelling(headers):
    assert asks_for_websocket(asked(*headers))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Connection: Upgrade"],
        ["Connection: upgrade", "Upgrade:"],
        ["Upgrade: foo"],
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
        ["Connection: Upgrade", "Upgrade: HTTP/2.0, TLS/1.0"],
    ],
)
def test_what_asks_for_nothing_that_counts_is_an_ordinary_request(headers):
    request = asked(*headers)
    assert not asks_for_websocket(request)
    assert not names_websocket(request.headers)
    refuse_upgrade(request)


@pytest.mark.parametrize(
    ("headers", "line", "status", "words"),
    [
        (["Upgrade: websocket"], "GET / HTTP/1.1", 400, "Connection: Upgrade"),
        (["Connection: Upgrade", "Upgrade: websocket"], "POST / HTTP/1.1", 400, "GET"),
        (["Connection: Upgrade", "Upgrade: websocket"], "GET / HTTP/1.0", 400, "HTTP/1.1"),
        (
            ["Connection: Upgrade", "Upgrade: websocket", "Content-Length: 5"],
            "GET / HTTP/1.1",
            400,
            "body",
        ),
        (
            ["Connection: Upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked"],
            "GET / HTTP/1.1",
            400,
            "body",
        ),
        (["Connection: Upgrade", "Upgrade: IRC/6.9"], "GET / HTTP/1.1", 501, "'irc/6.9'"),
        (["Connection: Upgrade", "Upgrade: h2c, foo"], "GET / HTTP/1.1", 501, "'foo'"),
    ],
)
def test_what_is_refused_says_why(headers, line, status, words):
    with pytest.raises(Refusal, match=words) as refused:
        asks_for_websocket(asked(*headers, line=line))
    assert refused.value.status == status


def test_a_route_of_weir_is_no_websocket():
    with pytest.raises(Refusal, match="SSE") as refused:
        refuse_upgrade(asked("Connection: Upgrade", "Upgrade: websocket"))
    assert refused.value.status == 501
