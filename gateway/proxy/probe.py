"""Tests whether the upstream still answers while a client's request gets no bytes from it."""

from __future__ import annotations

import gevent

from bus.origin import Origin
from gateway.proxy.dial import dial
from gateway.proxy.failures import Refusal


def lives(origin: Origin, timeout_s: float) -> bool:
    """Return whether the upstream answers a health request in time, with any status (even 401)."""
    return gevent.with_timeout(timeout_s, _answers, origin, timeout_s, timeout_value=False)


def _answers(origin: Origin, timeout_s: float) -> bool:
    target, host = origin.target("/global/health"), origin.authority
    asked = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    try:
        with dial(origin, timeout_s) as sock:
            sock.sendall(asked.encode("latin-1"))
            return bool(sock.recv(1))
    except (Refusal, OSError):
        return False
