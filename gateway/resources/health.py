"""`GET /global/health`: answered from memory, whatever else goes on."""

from __future__ import annotations

import falcon
import msgspec


class Health:
    """Says that this server answers, and its version."""

    def __init__(self, version: str) -> None:
        self._body = msgspec.json.encode({"healthy": True, "version": version})

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer ``{"healthy": true, "version"}``."""
        resp.data = self._body
