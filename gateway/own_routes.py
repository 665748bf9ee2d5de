"""The routes that weir answers itself; in front of an opencode, all others go to the opencode.

A request must not reach the opencode's own event streams by an unusual spelling: a server that
resolves ``/x/../event`` or ``/%65vent`` to ``/event`` would open a stream with an unbounded queue.
So every path that *could* be read as one of weir's routes is answered by weir.
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
"""Health checks, which are answered even when all connections are taken."""

_OWN = frozenset({*(endpoint.value for endpoint in Endpoint), HEALTH, METRICS, "/weir"})
_OWN_BELOW = "/weir/"
# Some servers read ``/event;x`` as ``/event``.
_PARAMETERS = re.compile(r";[^/]*")
# Event streams of an opencode in a form that weir does not produce, each with an unbounded queue.
_FOREIGN_STREAM = re.compile(r"/api/(event|global/event|session/[^/]*/event)")


def own_route(path: str) -> str | None:
    """Return the normalised path if weir answers it itself, None if it is not weir's.

    Args:
        path: the path of a request as it came: percent-encoded, without the query.
    """
    plain = _plain(path)
    return plain if plain in _OWN or plain.startswith(_OWN_BELOW) else None


def is_foreign_stream(path: str) -> bool:
    """Return whether an opencode would answer a path with an event stream of another form."""
    return _FOREIGN_STREAM.fullmatch(_plain(path)) is not None


def _plain(path: str) -> str:
    return resolved(_PARAMETERS.sub("", unquote(path, "latin-1"))).lower()


def resolved(path: str) -> str:
    """Return a decoded path without ``.``, ``..``, backslashes and repeated slashes.

    Browsers normalise the path of a URL in the same way.
    """
    return "/" + posixpath.normpath("/" + path.replace("\\", "/")).lstrip("/")
