"""Finds the resource for a path in each spelling that opencode accepts, and for ``HEAD`` too.

opencode ignores the case of a path's words, repeated slashes and a slash at its end, and resolves
``.`` and ``..``. Ids keep their case. `gateway.own_routes` does the same in relay mode.
"""

from __future__ import annotations

from typing import Any

from falcon.routing import CompiledRouter

from gateway.own_routes import resolved


class Router(CompiledRouter):
    """Falcon's router, more tolerant; every route with ``GET`` also has ``HEAD``.

    Attributes:
        resources: by template.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resources: dict[str, object] = {}
        self._words: set[str] = set()

    def add_route(self, uri_template: str, resource: object, **kwargs: Any) -> None:
        """Add a route; its words are the segments of `uri_template` that are no parameters."""
        self.resources[uri_template] = resource
        self._words.update(uri_template.split("/"))
        super().add_route(uri_template, resource, **kwargs)

    def map_http_methods(self, resource: object, **kwargs: Any) -> Any:
        """Answer ``HEAD`` like ``GET``; Falcon leaves the body out."""
        methods = dict(super().map_http_methods(resource, **kwargs))
        if "GET" in methods:
            methods.setdefault("HEAD", methods["GET"])
        return methods

    def find(self, uri: str, req: Any = None) -> Any:
        """Return the resource for the plain spelling of a path."""
        return super().find("/".join(map(self._plain, resolved(uri)[1:].split("/"))), req)

    def _plain(self, segment: str) -> str:
        word = segment.lower()
        return word if word in self._words else segment
