"""`GET /weir/livez` and `GET /weir/readyz`: what a supervisor or a load balancer asks."""

from __future__ import annotations

import falcon
import msgspec

from gateway.readiness import ReadinessMemory


class Livez:
    """Says that this worker's loop turns, and nothing more."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer ``{"alive": true}``."""
        resp.data = b'{"alive":true}'


class Readyz:
    """Says whether events and turns can be had: the processor answers, the upstream is there."""

    def __init__(self, memory: ReadinessMemory) -> None:
        self._memory = memory

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200, or 503 with the reasons."""
        view = self._memory.view()
        resp.status = falcon.HTTP_200 if view["ready"] else falcon.HTTP_503
        resp.cache_control = ["no-store"]
        resp.data = msgspec.json.encode(view)
