"""Runs gunicorn from code, with gevent workers, each of which has a `gateway.app.Worker`."""

from __future__ import annotations

import gc
import logging
import math
import secrets
from typing import Any

import falcon
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from msgspec.structs import replace

from bus.process import logs
from bus.process.allocator import give_back_large_blocks
from bus.process.flags import BadFlag
from bus.process.heart import Heart, Notifier
from bus.process.stack import show_stack_at_abort
from gateway.monitor.boards import Boards
from gateway.settings import GatewaySettings
from gateway.workers.certificate import server_context, warn_of_readers
from gateway.workers.descriptors import make_room
from gateway.workers.worker_tmp import keep_in_memory

log = logging.getLogger("weir.gateway")

_MASTER_TURN_S = 1.0
_SPARE_SEATS = 16
_AFTER_DRAIN_S = 1


class _Logger(Logger):  # type: ignore[misc]
    """Gunicorn's logger, with log lines in weir's format."""

    error_fmt = logs.FORMAT.replace("%(name)s", "weir.gateway")
    datefmt = None


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's master process, which also reports to the supervisor that it is not blocked."""

    def __init__(self, app: Gateway, heart: Heart) -> None:
        super().__init__(app)
        self._heart = heart
        heart.beat()

    def murder_workers(self) -> None:
        """Kill workers that hang, as gunicorn does, and report that the master is running.

        Gunicorn calls this once in every turn of the master's loop.
        """
        super().murder_workers()
        self._heart.beat()


class Gateway(BaseApplication):  # type: ignore[misc]
    """The gunicorn application: its settings, its workers, and the memory that workers share."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._room = make_room(
            settings.max_readers, len(settings.buses), settings.upstream is not None
        )
        self._settings = replace(settings, max_readers=self._room.streams)
        self._notifier = Notifier(settings.notify_socket)
        # Shared memory for more workers than there are now: during a reload there are twice as
        # many, and each SIGTTIN adds a worker.
        self._boards = Boards(2 * settings.workers + _SPARE_SEATS)
        self._seat = 0
        self._key = secrets.token_bytes(32)
        self._tls = server_context(settings.tls_cert, settings.tls_key)
        if settings.tls_key is not None:
            warn_of_readers(settings.tls_key)
        keep_in_memory()
        super().__init__()

    def reload(self) -> None:
        """At SIGHUP, start new workers, with the certificate files as they are now.

        If the files are unusable, the certificate that was loaded before stays in use.
        """
        try:
            self._tls = server_context(self._settings.tls_cert, self._settings.tls_key)
        except BadFlag as error:
            log.error("%s; the certificate that was loaded before stays in use", error)
        super().reload()

    def run(self) -> None:
        """Run gunicorn's master until it is stopped."""
        give_back_large_blocks()
        _Arbiter(self, Heart(self._notifier, _MASTER_TURN_S)).run()

    def load_config(self) -> None:
        """Set gunicorn's options, as gunicorn asks for at its start and at a reload."""
        settings = self._settings
        fd = settings.listen_fd
        certificate = (settings.tls_cert, settings.tls_key) if self._tls else (None, None)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        for name, value in {
            "bind": f"{host}:{settings.port}" if fd is None else f"fd://{fd}",
            # Only for ``https://`` in gunicorn's log: weir does TLS itself (`gateway.door`).
            "certfile": certificate[0] and str(certificate[0]),
            "keyfile": certificate[1] and str(certificate[1]),
            "workers": settings.workers,
            "worker_class": "gateway.workers.worker.GatewayWorker",
            # More than the event streams that are allowed, so that requests such as health
            # checks still get a connection when all streams are taken.
            "worker_connections": self._room.streams + self._room.others,
            "timeout": settings.worker_timeout,
            # At a stop, the master kills workers that have not ended after this time.
            "graceful_timeout": math.ceil(settings.drain) + _AFTER_DRAIN_S,
            "logger_class": _Logger,
            "loglevel": settings.log_level,
            "proc_name": "weir-gateway",
            "control_socket_disable": True,
            "post_fork": self._forked,
            "pre_fork": self._take_seat,
            "post_worker_init": self._attach,
            "child_exit": self._leave_seat,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> falcon.App[Any, Any]:
        """Build the application of a worker; gunicorn calls this in the worker's process."""
        # Done here, since gunicorn has just set its own SIGABRT handler. The handler is Python
        # code, which never runs in a worker that hangs.
        show_stack_at_abort()
        # Imported here and not by the master, so that after a reload workers have new code.
        from gateway.app import Worker

        self._worker = Worker(
            self._settings,
            self._room,
            self._boards,
            self._seat,
            self._heart,
            self._key,
            self._tls,
        )
        self._worker.start()
        return self._worker.app

    def _forked(self, _arbiter: object, _gunicorn_worker: object) -> None:
        """In a new worker: begin to report to the supervisor, which notices if loading hangs."""
        self._heart = Heart(self._notifier)
        self._heart.beat()

    def _take_seat(self, arbiter: Any, gunicorn_worker: Any) -> None:
        """In the master: give a worker the lowest free number (seat) before the fork."""
        taken = {worker.seat for worker in arbiter.WORKERS.values()}
        free = (seat for seat in range(len(self._boards)) if seat not in taken)
        self._seat = gunicorn_worker.seat = next(free, len(self._boards) - 1)

    def _leave_seat(self, _arbiter: Any, gunicorn_worker: Any) -> None:
        """In the master: note in the shared memory that a worker has ended."""
        self._boards.vacate(gunicorn_worker.seat)

    def _attach(self, gunicorn_worker: Any) -> None:
        """In a worker: give gunicorn's worker object the `Worker` that serves its connections."""
        gunicorn_worker.gateway = self._worker
        gc.freeze()  # garbage collection skips all objects loaded so far: to scan them takes 40 ms
