"""`GET /global/health`: answers from memory, without a request to a processor or upstream."""

from __future__ import annotations

import falcon
import msgspec

from gateway.monitor.readiness import ReadinessMemory


class Health:
    """Reports that this server answers, and its version; in relay mode the upstream's version."""

    def __init__(self, memory: ReadinessMemory) -> None:
        self._memory = memory

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer ``{"healthy": true, "version"}``."""
        resp.data = msgspec.json.encode({"healthy": True, "version": self._memory.version})
