"""Finds the Falcon resource for a path in each spelling that opencode accepts, also for ``HEAD``.

Like opencode, it ignores the case of the fixed words in a path, repeated slashes and a slash at
the end, and resolves ``.`` and ``..``. Ids keep their case. In front of an opencode,
`gateway.own_routes` does the same.
"""

from __future__ import annotations

from typing import Any

from falcon.routing import CompiledRouter

from gateway.own_routes import resolved


class Router(CompiledRouter):
    """Falcon's router, but it accepts more spellings of a path, and ``HEAD`` wherever ``GET`` is.

    Attributes:
        resources: the resources by URI template, such as ``/session/{session}``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resources: dict[str, object] = {}
        self._words: set[str] = set()

    def add_route(self, uri_template: str, resource: object, **kwargs: Any) -> None:
        """Add a route, and note the words of its template, whose case is ignored from then on."""
        self.resources[uri_template] = resource
        self._words.update(uri_template.split("/"))
        super().add_route(uri_template, resource, **kwargs)

    def map_http_methods(self, resource: object, **kwargs: Any) -> Any:
        """Let the method for ``GET`` answer ``HEAD`` too; Falcon leaves out the body."""
        methods = dict(super().map_http_methods(resource, **kwargs))
        if "GET" in methods:
            methods.setdefault("HEAD", methods["GET"])
        return methods

    def find(self, uri: str, req: Any = None) -> Any:
        """Return the resource for a path, which is normalised first."""
        return super().find("/".join(map(self._plain, resolved(uri)[1:].split("/"))), req)

    def _plain(self, segment: str) -> str:
        word = segment.lower()
        return word if word in self._words else segment
