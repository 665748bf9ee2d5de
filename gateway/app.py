"""The Falcon application of one worker, and the greenlets behind it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version

import falcon
import gevent
import zmq.green

from bus import sockets
from bus.heart import Heart
from bus.ids import Ids
from bus.requester import Requester
from bus.subscriber import Subscriber
from gateway import ingest
from gateway.bulletin import Bulletin
from gateway.checkup import Checkup
from gateway.cors import Cors
from gateway.draining import drain
from gateway.errors import install_error_handlers
from gateway.guard import Guard
from gateway.loop_lag import LoopLag
from gateway.neighbour import Neighbours
from gateway.observer import Observer
from gateway.proxy.proxy import Proxy
from gateway.readers import Readers
from gateway.readiness import ReadinessMemory
from gateway.relay import Endpoint, Relay
from gateway.resources import add_native_routes
from gateway.resources.events import EventStream
from gateway.resources.health import Health
from gateway.resources.readiness import Livez, Readyz
from gateway.resources.status import Metrics, Status
from gateway.scoreboard import Scoreboard
from gateway.settings import Settings
from gateway.shedding import Shedding
from gateway.sources import Sources
from gateway.survey import Surveyor

PROCESSOR_SILENT_S = 3.0


class Worker:
    """What one gunicorn worker runs: its end of the bus, its log, its readers, its routes.

    Args:
        settings: of the gateway.
        board: where all its workers post what they are like.
        seat: of this one there.
        heart: of this one, to be beaten by its loop.

    Attributes:
        app: serves weir's own routes.
        proxy: serves all others; None where weir is the server itself.
        broken: it cannot serve any more, and has asked to be stopped.
    """

    def __init__(self, settings: Settings, board: Scoreboard, seat: int, heart: Heart) -> None:
        context = zmq.green.Context()
        self.readers = Readers(Relay(), settings.max_readers)
        self.broken = False
        self._drain_s = settings.drain
        self._shedding = Shedding(self.readers, settings.stall_timeout)
        self._requesters = [
            Requester(
                sockets.requester_socket(context, bus.commands),
                alive=lambda: self._subscriber.alive(PROCESSOR_SILENT_S),
                deadline_s=settings.command_timeout,
            )
            for bus in settings.buses
        ]
        self._requester = self._requesters[0]
        sources = Sources(self._requesters, partial(ingest.load, self.readers))
        self._subscriber = Subscriber(
            sockets.subscriber_socket(context, [bus.events for bus in settings.buses]),
            repair=sources.repair,
            join=sources.join,
            on_loss=partial(ingest.lose, self.readers),
            on_restart=sources.restarted,
        )
        self._memories = _memories(settings, self._requesters)
        cors = Cors()
        self.proxy = None
        if settings.upstream is not None:
            self.proxy = Proxy(settings.upstream, settings.upstream_timeout, cors)
        self._lag = LoopLag(heart)
        observer = Observer(seat, self.readers, self._subscriber, self._lag, self.proxy)
        self._bulletin = Bulletin(board, observer)
        self.app = self._routes(settings, cors)

    def start(self) -> None:
        """Start the greenlets; the worker does not outlive any of them."""
        loops: list[Callable[[], None]] = [
            partial(ingest.run, self._subscriber, self.readers),
            *(requester.run for requester in self._requesters),
            self.readers.run,
            self._shedding.run,
            *(memory.run for memory in self._memories),
            self._lag.run,
            self._bulletin.run,
        ]
        for loop in loops:
            greenlet = gevent.spawn(loop)
            greenlet.link_exception(self._end)

    def drain(self) -> None:
        """Let all readers go, spread over a while; returns when the last is let go."""
        drain(self.readers, self._drain_s)

    def _end(self, _greenlet: object) -> None:
        """Have gunicorn put another worker in the place of this one, which serves no more."""
        self.broken = True
        os.kill(os.getpid(), signal.SIGTERM)

    def _routes(
        self, settings: Settings, cors: Cors
    ) -> falcon.App[falcon.Request, falcon.Response]:
        upstream = settings.upstream
        app = falcon.App(middleware=cors)
        if upstream is not None and upstream.login is not None:
            app.add_middleware(Guard(upstream.login))
        install_error_handlers(app)
        made_with = (self.readers, settings, Ids(), Neighbours())
        for endpoint in Endpoint:
            app.add_route(endpoint.value, EventStream(endpoint, *made_with))
        app.add_route("/global/health", Health(self._memories[0]))
        self._add_checks(app)
        if upstream is None:
            add_native_routes(app, self._requester, settings.directory)
        return app

    def _add_checks(self, app: falcon.App[falcon.Request, falcon.Response]) -> None:
        checkup = Checkup(self._memories, self._subscriber, self._bulletin)
        surveyor = Surveyor(self._bulletin, checkup, version("weir"))
        app.add_route("/weir/livez", Livez())
        app.add_route("/weir/readyz", Readyz(checkup))
        app.add_route("/weir/status", Status(surveyor))
        app.add_route("/metrics", Metrics(surveyor))


def _memories(settings: Settings, requesters: Sequence[Requester]) -> list[ReadinessMemory]:
    """Return one for each bus; an upstream is what the first processor has to read."""
    relays, own_version = settings.upstream is not None, version("weir")
    return [
        ReadinessMemory(bus.url, requester, own_version, relays=relays and number == 0)
        for number, (bus, requester) in enumerate(zip(settings.buses, requesters, strict=True))
    ]
