"""`GET /global/health`: answered from memory, whatever else goes on."""

from __future__ import annotations

import falcon
import msgspec

from gateway.monitor.readiness import ReadinessMemory


class Health:
    """Says that this server answers, and which version: the upstream's, where there is one."""

    def __init__(self, memory: ReadinessMemory) -> None:
        self._memory = memory

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer ``{"healthy": true, "version"}``."""
        resp.data = msgspec.json.encode({"healthy": True, "version": self._memory.version})
