"""`GET /weir/livez` and `GET /weir/readyz`, for supervisors and load balancers."""

from __future__ import annotations

import falcon
import msgspec

from gateway.monitor.checkup import Checkup


class Livez:
    """Reports only that this worker's loop turns."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer ``{"alive": true}``."""
        resp.cache_control = ["no-store"]
        resp.data = b'{"alive":true}'


class Readyz:
    """Reports whether events and turns are available, by all checks."""

    def __init__(self, checkup: Checkup) -> None:
        self._checkup = checkup

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200, or 503 with the reasons."""
        found = self._checkup.diagnosis()
        resp.status = falcon.HTTP_200 if found.ready else falcon.HTTP_503
        resp.cache_control = ["no-store"]
        resp.data = msgspec.json.encode(found)
