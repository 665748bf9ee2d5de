"""The Falcon application of one worker, and the greenlets behind it."""

from __future__ import annotations

import os
import signal
from functools import partial
from importlib.metadata import version

import falcon
import gevent
import zmq.green

from bus import replay, sockets
from bus.ids import Ids
from bus.requester import Requester
from bus.subscriber import Subscriber
from gateway import ingest
from gateway.cors import Cors
from gateway.errors import install_error_handlers
from gateway.guard import Guard
from gateway.proxy.proxy import Proxy
from gateway.readers import Readers
from gateway.readiness import ReadinessMemory
from gateway.relay import Endpoint, Relay
from gateway.resources import add_native_routes
from gateway.resources.events import EventStream
from gateway.resources.health import Health
from gateway.resources.readiness import Livez, Readyz
from gateway.settings import Settings

PROCESSOR_SILENT_S = 3.0


class Worker:
    """What one gunicorn worker runs: its end of the bus, its log, its readers, its routes.

    Attributes:
        app: serves weir's own routes.
        proxy: serves all others; None where weir is the server itself.
    """

    def __init__(self, settings: Settings) -> None:
        context = zmq.green.Context()
        self.readers = Readers(Relay(), settings.max_readers)
        self._requester = Requester(
            sockets.requester_socket(context, settings.bus.commands),
            alive=lambda: self._subscriber.alive(PROCESSOR_SILENT_S),
            deadline_s=settings.command_timeout,
        )
        self._subscriber = Subscriber(
            sockets.subscriber_socket(context, [settings.bus.events]),
            repair=partial(replay.fetch, self._requester),
            join=partial(ingest.join, self._requester, self.readers),
            on_loss=partial(ingest.lose, self.readers),
            on_restart=self._requester.abandon,
        )
        self._readiness = ReadinessMemory(
            self._requester, version("weir"), relays=settings.upstream is not None
        )
        cors = Cors()
        self.app = self._routes(settings, cors)
        self.proxy = None
        if settings.upstream is not None:
            self.proxy = Proxy(settings.upstream, settings.upstream_timeout, cors)

    def start(self) -> None:
        """Start the greenlets; the worker does not outlive any of them."""
        for greenlet in (
            gevent.spawn(ingest.run, self._subscriber, self.readers),
            gevent.spawn(self._requester.run),
            gevent.spawn(self.readers.run),
            gevent.spawn(self._readiness.run),
        ):
            greenlet.link_exception(_end_worker)

    def _routes(
        self, settings: Settings, cors: Cors
    ) -> falcon.App[falcon.Request, falcon.Response]:
        upstream = settings.upstream
        app = falcon.App(middleware=cors)
        if upstream is not None and upstream.login is not None:
            app.add_middleware(Guard(upstream.login))
        install_error_handlers(app)
        ids = Ids()
        for endpoint in Endpoint:
            app.add_route(endpoint.value, EventStream(endpoint, self.readers, settings, ids))
        app.add_route("/global/health", Health(self._readiness))
        app.add_route("/weir/livez", Livez())
        app.add_route("/weir/readyz", Readyz(self._readiness))
        if upstream is None:
            add_native_routes(app, self._requester, settings.directory)
        return app


def _end_worker(_greenlet: object) -> None:
    """Have gunicorn put another worker in the place of this one, which serves nothing any more."""
    os.kill(os.getpid(), signal.SIGTERM)
