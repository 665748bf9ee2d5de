"""`GET /weir/livez` and `GET /weir/readyz`, for supervisors and load balancers."""

from __future__ import annotations

import falcon
import msgspec

from gateway.monitor.checkup import Checkup


class Livez:
    """Reports that this worker answers requests; checks nothing else."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer ``{"alive": true}``."""
        resp.cache_control = ["no-store"]
        resp.data = b'{"alive":true}'


class Readyz:
    """Reports whether all checks succeed, so that events arrive and turns can run."""

    def __init__(self, checkup: Checkup) -> None:
        self._checkup = checkup

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200 if this weir is ready, else 503 with the reasons."""
        found = self._checkup.diagnosis()
        resp.status = falcon.HTTP_200 if found.ready else falcon.HTTP_503
        resp.cache_control = ["no-store"]
        resp.data = msgspec.json.encode(found)
