"""The word that everything answers, for a person and for a service manager."""

from __future__ import annotations

import http.client
import json
import logging

from bus.heart import Notifier

log = logging.getLogger("weir.up")

_ASK_S = 0.5


class Announcement:
    """Says once, on stdout, that everything answers, and where; or, on stderr, why not yet.

    Args:
        host: where the gateway listens.
        port: where it listens.
        manager: the service manager that is to know too.
    """

    def __init__(self, host: str, port: int, manager: Notifier) -> None:
        self._manager = manager
        self._host = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        self._port = port
        self._made = False
        self._reason = ""

    def __call__(self) -> None:
        """Ask, and say it if it is so; to be called again and again."""
        if self._made:
            return
        self._made, reason = self._readiness()
        if self._made:
            host = f"[{self._host}]" if ":" in self._host else self._host
            print(f"weir is ready: http://{host}:{self._port}", flush=True)
            self._manager.say("READY=1")
        elif reason and reason != self._reason:
            self._reason = reason
            log.warning("not ready yet: %s", reason)

    def _readiness(self) -> tuple[bool, str]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_ASK_S)
        try:
            connection.request("GET", "/weir/readyz")
            said = json.loads(connection.getresponse().read())
            return bool(said["ready"]), ", ".join(said["reasons"])
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return False, ""
        finally:
            connection.close()
