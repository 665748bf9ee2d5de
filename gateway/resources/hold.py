"""`GET /weir/hold`: answers after the requested time, to test proxies in front of weir."""

from __future__ import annotations

import falcon
import gevent

from gateway.errors import BoundReached
from gateway.resources.query import integer
from gateway.settings import LONGEST_HOLD_S

_MOST_AT_ONCE = 8


class HoldRoute:
    """Shows for how long the proxies in front of weir let a request wait. Query: ``seconds``."""

    def __init__(self) -> None:
        self._held = 0

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Wait for the requested seconds, then answer ``{"held_s": SECONDS}``."""
        held_s = integer(req, "seconds", 0, LONGEST_HOLD_S) or 0
        if self._held >= _MOST_AT_ONCE:
            words = f"{_MOST_AT_ONCE} requests are held open already"
            raise BoundReached(503, words, "hold", LONGEST_HOLD_S)
        self._held += 1
        try:
            gevent.sleep(held_s)
        finally:
            self._held -= 1
        resp.cache_control = ["no-store"]
        resp.data = b'{"held_s":%d}' % held_s
