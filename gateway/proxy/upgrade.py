"""Decides about requests that ask for another protocol (``Upgrade``): only WebSocket. No I/O.

1. ``Upgrade`` only counts if ``Connection`` names it (RFC 9110, 7.8). A WebSocket without this
   ``Connection`` is refused: a proxy in front has removed it.
2. Clients offer newer versions of HTTP with each of their requests; an answer in HTTP/1.1 declines
   the offer.
3. A WebSocket passes if its handshake follows RFC 6455: GET in HTTP/1.1, without a body. Bytes
   after such a handshake are never read as a request.
4. Any other protocol is refused by its name.
"""

from __future__ import annotations

from gateway.door.request import Request
from gateway.proxy.failures import Refusal
from gateway.proxy.headers import Header, tokens

WEBSOCKET = b"websocket"
HANDSHAKE: list[Header] = [(b"Connection", b"Upgrade"), (b"Upgrade", WEBSOCKET)]
"""The headers of a WebSocket handshake that the proxy adds, since it drops hop-by-hop headers."""
_NEWER_HTTP = (b"h2c", b"http/", b"tls/")
_SHOWN = 40


def asks_for_websocket(request: Request) -> bool:
    """Return whether a request is the handshake of a WebSocket.

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
    """Return whether the ``Upgrade`` header of a request or an answer names WebSocket."""
    return WEBSOCKET in tokens(headers, b"upgrade")


def refuse_upgrade(request: Request) -> None:
    """Refuse to change the protocol on a route of weir itself.

    Raises:
        Refusal: the request asks for another protocol.
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
