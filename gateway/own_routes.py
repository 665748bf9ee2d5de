"""The routes that are weir's own, also in front of an upstream, with their special properties.

A path must not reach the upstream's event streams by an unusual spelling: an upstream that
resolves ``/x/../event`` or ``/%65vent`` would open a stream with an unbounded queue. So every path
that *could* be read as one of weir's routes is weir's.
"""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from gateway.relay import Endpoint

HEALTH = "/global/health"
METRICS = "/metrics"
LIVEZ = "/weir/livez"
READYZ = "/weir/readyz"

WITHOUT_PASSWORD = frozenset({LIVEZ, READYZ})
"""Kubernetes and load balancers cannot send a password. Status and metrics need one."""
PROBES = WITHOUT_PASSWORD | {HEALTH}
"""Answered even when all connections are taken."""

_OWN = frozenset({*(endpoint.value for endpoint in Endpoint), HEALTH, METRICS, "/weir"})
_OWN_BELOW = "/weir/"


def own_route(path: str) -> str | None:
    """Return the route of weir that `path` leads to, in its plain spelling; None if there is none.

    Args:
        path: of a request, as it came: percent-encoded, without the query.
    """
    plain = resolved(unquote(path, "latin-1")).lower()
    return plain if plain in _OWN or plain.startswith(_OWN_BELOW) else None


def resolved(path: str) -> str:
    """Return a decoded path as browsers read it: no ``.``, ``..``, backslash or repeated slash."""
    return "/" + posixpath.normpath("/" + path.replace("\\", "/")).lstrip("/")
