"""Routes that clients request but weir does not have: counted by template, and logged once each.

A template is a path with ``{}`` for ids. Clients choose the paths, so both the number of templates
and their length are bounded.
"""

from __future__ import annotations

import logging
import re

log = logging.getLogger("weir.gateway")

MOST_TEMPLATES = 64
OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WORD = re.compile(r"[a-z][a-z.-]{0,23}|v[0-9]{1,2}")
_MOST_SEGMENTS = 6


class UnknownRoutes:
    """Counts requests for unknown routes.

    Attributes:
        counts: how many requests, by method and template (``GET /session/{}/fork``). Only the
            first `MOST_TEMPLATES` templates are counted apart, all later ones under `OTHER`.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def note(self, method: str, path: str) -> None:
        """Count a request, and log its route if it is the first for this route."""
        route = f"{method if method in _METHODS else '{}'} {template(path)}"
        if route not in self.counts:
            if len(self.counts) < MOST_TEMPLATES:
                log.info("%s: a client requested this route, which weir does not have", route)
            else:
                route = OTHER
        self.counts[route] = self.counts.get(route, 0) + 1


def template(path: str) -> str:
    """Return a path with ``{}`` for each segment that is not a plain word, such as an id."""
    segments = [segment for segment in path.split("/", 100) if segment]
    plain = [one.lower() if _WORD.fullmatch(one.lower()) else "{}" for one in segments]
    rest = ["…"] if len(plain) > _MOST_SEGMENTS else []
    return "/" + "/".join(plain[:_MOST_SEGMENTS] + rest)
