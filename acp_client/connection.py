"""A connection to a server, and what became of one in words."""

from __future__ import annotations

import http.client
import ssl

from bus.origin import Origin


def connection_to(origin: Origin, timeout_s: float | None) -> http.client.HTTPConnection:
    """Return a connection that opens with its first request; `timeout_s` None for no limit."""
    host, port = origin.host, origin.port
    if origin.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


def in_words(error: Exception) -> str:
    """Say what became of a connection."""
    if isinstance(error, ConnectionRefusedError):
        return "refuses connections"
    if isinstance(error, TimeoutError):
        return "is silent"
    return str(error) or type(error).__name__
