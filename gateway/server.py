"""Gunicorn, run from code: gevent workers, each with a `gateway.app.Worker` of its own."""

from __future__ import annotations

import math
from typing import Any

import falcon
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from bus import logs
from gateway.settings import Settings

_BESIDE_STREAMS = 1024
_AFTER_DRAIN_S = 1
_MAX_REQUEST_LINE = 8190
_MAX_HEADER = 16384


class _Logger(Logger):  # type: ignore[misc]
    """Gunicorn's log, in the form of weir's own."""

    error_fmt = logs.FORMAT.replace("%(name)s", "weir.gateway")
    datefmt = None


class Gateway(BaseApplication):  # type: ignore[misc]
    """The gunicorn application."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn needs to know."""
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        for name, value in {
            "bind": f"{host}:{settings.port}",
            "workers": settings.workers,
            "worker_class": "gateway.gunicorn_worker.GatewayWorker",
            # Streams are capped by `max_readers`; health must find a place beyond that.
            "worker_connections": settings.max_readers + _BESIDE_STREAMS,
            "keepalive": 75,
            "timeout": 30,
            # After that the master kills its workers.
            "graceful_timeout": math.ceil(settings.drain) + _AFTER_DRAIN_S,
            "limit_request_line": _MAX_REQUEST_LINE,
            "limit_request_field_size": _MAX_HEADER,
            "logger_class": _Logger,
            "loglevel": settings.log_level,
            "proc_name": "weir-gateway",
            "control_socket_disable": True,
            "post_worker_init": self._attach,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> falcon.App[Any, Any]:
        """Build a worker's application; gunicorn calls this inside that worker."""
        # Imported here so that nothing of it is loaded before gunicorn has forked.
        from gateway.app import Worker

        self._worker = Worker(self._settings)
        self._worker.start()
        return self._worker.app

    def _attach(self, gunicorn_worker: Any) -> None:
        """Give gunicorn's worker what it serves with."""
        gunicorn_worker.gateway = self._worker
