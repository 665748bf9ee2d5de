"""`GET /weir/livez` and `GET /weir/readyz`: what a supervisor or a load balancer asks."""

from __future__ import annotations

import falcon
import msgspec

from gateway.monitor.checkup import Checkup


class Livez:
    """Says that this worker's loop turns, and nothing more."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer ``{"alive": true}``."""
        resp.cache_control = ["no-store"]
        resp.data = b'{"alive":true}'


class Readyz:
    """Says whether events and turns can be had, by every check that is made."""

    def __init__(self, checkup: Checkup) -> None:
        self._checkup = checkup

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200, or 503 with the reasons."""
        found = self._checkup.diagnosis()
        resp.status = falcon.HTTP_200 if found.ready else falcon.HTTP_503
        resp.cache_control = ["no-store"]
        resp.data = msgspec.json.encode(found)
