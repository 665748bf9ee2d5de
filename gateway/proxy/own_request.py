"""Sends requests of weir itself (not of a client) to the upstream, each on a new connection."""

from __future__ import annotations

from collections.abc import Iterable

import h11

from bus.origin import Origin
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.dial import dial
from gateway.proxy.headers import Header

_WITHIN_S = 5.0
_MOST_BYTES = 4 * 1024 * 1024


def asked(upstream: Origin, route: str, more: Iterable[Header] = ()) -> tuple[int, bytes]:
    """Send a ``GET`` for `route` with the headers `more`; return the answer's status and body.

    Raises:
        OSError, Refusal, h11.ProtocolError, NothingHeard: no complete answer came.
    """
    connection = UpstreamConnection(dial(upstream, _WITHIN_S))
    try:
        headers = [
            (b"Host", upstream.authority.encode("latin-1")),
            (b"Connection", b"close"),
            (b"Accept", b"application/json"),
            *more,
        ]
        if upstream.login is not None:
            headers.append((b"Authorization", upstream.login.basic.encode()))
        connection.send(h11.Request(method="GET", target=upstream.target(route), headers=headers))
        connection.send(h11.EndOfMessage())
        return _answer(connection)
    finally:
        connection.close()


def _answer(connection: UpstreamConnection) -> tuple[int, bytes]:
    status, body = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive(_WITHIN_S)
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _MOST_BYTES:
                raise OSError(f"the answer has more than {_MOST_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(body)
