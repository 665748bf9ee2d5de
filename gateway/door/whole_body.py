"""Reads the whole body of a request before it is passed on, and puts it back."""

from __future__ import annotations

from collections.abc import Callable

from gateway.door.request import Request
from gateway.door.wsgi_input import WsgiInput
from gateway.proxy.failures import Refusal

_STEP_BYTES = 256 * 1024
_FRAMING = (b"expect", b"content-length", b"transfer-encoding", b"trailer")


def read_ahead(request: Request, most: int, bound: str, check: Callable[[], None]) -> bytes:
    """Return the whole body of a request; the proxy passes the same bytes on.

    Args:
        request: a request whose body is not read yet.
        most: how many bytes the body may have.
        bound: the name of this limit, for the error.
        check: called after each piece; may raise an error to refuse the body.

    Raises:
        Refusal: the body is too long (413), or comes too slowly (408).
        ClientGone: the client left before the end.
    """
    if request.framed_by is None:
        return b""
    source, body = WsgiInput(request), bytearray()
    while piece := source.read(_STEP_BYTES):
        body += piece
        if len(body) > most:
            words = f"a body of a token with grants for some folders has at most {most} bytes"
            raise Refusal(413, f"{words} ({bound})", bound=bound)
        check()
    request.body.put_back(body)
    request.framed_by = request.body.framed_by
    request.expects_continue = False
    request.headers = [one for one in request.headers if one[0].lower() not in _FRAMING]
    return bytes(body)
