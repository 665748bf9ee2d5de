"""`GET /weir/history`: figures of all workers over the last quarter of an hour, for charts."""

from __future__ import annotations

import time

import falcon
import msgspec

from gateway.monitor.history import COLUMNS, EVERY_S, ROWS, History
from gateway.resources.query import integer


class HistoryRows:
    """The route. Query: ``since``, the ``time_ms`` of the last row that the client has."""

    def __init__(self, history: History) -> None:
        self._history = history

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer ``{"every_s", "rows_kept", "columns", "rows"}``; the oldest row comes first."""
        since_ms = integer(req, "since") or 0
        rows = self._history.rows(time.time_ns() // 1_000_000, since_ms)
        view = {"every_s": EVERY_S, "rows_kept": ROWS, "columns": COLUMNS, "rows": rows}
        resp.cache_control = ["no-store"]
        resp.data = msgspec.json.encode(view)
