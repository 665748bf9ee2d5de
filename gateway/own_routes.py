"""The routes that are weir's own, also in front of an upstream, with their special properties.

A path must not reach the upstream's event streams by an unusual spelling: an upstream that
resolves ``/x/../event`` or ``/%65vent`` would open a stream with an unbounded queue. So every path
that *could* be read as one of weir's routes is weir's.
"""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote

from gateway.relay import Endpoint

HEALTH = "/global/health"
METRICS = "/metrics"
LIVEZ = "/weir/livez"
READYZ = "/weir/readyz"

PROBES = frozenset({LIVEZ, READYZ, HEALTH})
"""Answered even when all connections are taken."""

_OWN = frozenset({*(endpoint.value for endpoint in Endpoint), HEALTH, METRICS, "/weir"})
_OWN_BELOW = "/weir/"
_PARAMETERS = re.compile(r";[^/]*")  # ``/event;x`` is ``/event`` to some servers
# Streams of an opencode with a queue that nothing bounds, in a form that is not weir's.
_FOREIGN_STREAM = re.compile(r"/api/(event|global/event|session/[^/]*/event)")


def own_route(path: str) -> str | None:
    """Return the route of weir that `path` leads to, in its plain spelling; None if there is none.

    Args:
        path: of a request, as it came: percent-encoded, without the query.
    """
    plain = _plain(path)
    return plain if plain in _OWN or plain.startswith(_OWN_BELOW) else None


def is_foreign_stream(path: str) -> bool:
    """Return whether an opencode would answer with an event stream that weir does not read."""
    return _FOREIGN_STREAM.fullmatch(_plain(path)) is not None


def _plain(path: str) -> str:
    return resolved(_PARAMETERS.sub("", unquote(path, "latin-1"))).lower()


def resolved(path: str) -> str:
    """Return a decoded path as browsers read it: no ``.``, ``..``, backslash or repeated slash."""
    return "/" + posixpath.normpath("/" + path.replace("\\", "/")).lstrip("/")
