"""Which requests ask for another protocol on their connection, and which of them pass. No I/O.

1. ``Upgrade`` counts only where ``Connection`` names it (RFC 9110, 7.8). A WebSocket that lacks
   the latter is refused: a proxy in front has removed it.
2. Newer versions of HTTP are an offer that a client sends with each of its requests; the answer
   in HTTP/1.1 declines it.
3. A WebSocket passes where its handshake is one of RFC 6455: GET in HTTP/1.1, and no body. What
   follows such a handshake is never read as a request.
4. Any other protocol is refused by its name.
"""

from __future__ import annotations

from gateway.door.request import Request
from gateway.proxy.failures import Refusal
from gateway.proxy.headers import Header, tokens

WEBSOCKET = b"websocket"
HANDSHAKE: list[Header] = [(b"Connection", b"Upgrade"), (b"Upgrade", WEBSOCKET)]
"""What the upstream gets in place of the client's hop-by-hop headers."""
_NEWER_HTTP = (b"h2c", b"http/", b"tls/")
_SHOWN = 40


def asks_for_websocket(request: Request) -> bool:
    """Tell whether a request is the handshake of a WebSocket.

    Raises:
        Refusal: the handshake is malformed, or the request asks for another protocol.
    """
    protocols = tokens(request.headers, b"upgrade")
    if not protocols:
        return False
    connected = b"upgrade" in tokens(request.headers, b"connection")
    if WEBSOCKET not in protocols:
        if connected:
            _refuse_other(protocols)
        return False
    if not connected:
        raise Refusal(
            400, "a WebSocket needs the header 'Connection: Upgrade'; a proxy may have removed it"
        )
    if request.method != "GET" or not request.http11 or request.framed_by is not None:
        raise Refusal(400, "the handshake of a WebSocket is a GET of HTTP/1.1 without a body")
    return True


def names_websocket(headers: list[Header]) -> bool:
    """Tell whether a request or an answer names WebSocket as the protocol to change to."""
    return WEBSOCKET in tokens(headers, b"upgrade")


def refuse_upgrade(request: Request) -> None:
    """Refuse to change the protocol on a route of weir itself.

    Raises:
        Refusal: the request asks for a change.
    """
    if asks_for_websocket(request):
        raise Refusal(
            501,
            f"{request.path[:_SHOWN]} is not a WebSocket: weir sends events as SSE (GET /event); "
            "it passes WebSockets on where it is in front of an opencode (--upstream)",
        )


def _refuse_other(protocols: set[bytes]) -> None:
    others = sorted(one for one in protocols if not one.startswith(_NEWER_HTTP))
    if others:
        name = others[0][:_SHOWN].decode("latin-1")
        raise Refusal(501, f"upgrade: {name!r} is not supported; allowed is websocket")
