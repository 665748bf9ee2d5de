"""What one gunicorn worker runs: the Falcon application, and greenlets in the background."""

from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Callable
from functools import partial

import falcon
import gevent
import zmq.green

from bus.ids import Ids
from bus.process.heart import Heart
from bus.process.version import installed_version
from gateway import own_routes
from gateway.access.revocation import Revocation
from gateway.access.setup import access_of
from gateway.access.shares import Shares
from gateway.bus_feeds import Feeds
from gateway.console import add_console
from gateway.cors import Cors
from gateway.door.door import Door
from gateway.door.slots import Slots
from gateway.errors import install_error_handlers
from gateway.folders import SourceFolders
from gateway.monitor.agent_counts import AgentCounts
from gateway.monitor.boards import Boards
from gateway.monitor.bulletin import Bulletin
from gateway.monitor.checkup import Checkup
from gateway.monitor.history import Historian
from gateway.monitor.loop_lag import LoopLag
from gateway.monitor.observer import Observer
from gateway.monitor.survey import Surveyor
from gateway.proxy.origins import UpstreamOrigins, preflight
from gateway.proxy.proxy import Proxy
from gateway.relay import Endpoint, Relay
from gateway.resources import add_native_routes
from gateway.resources.agents import AgentRoute, NotHere
from gateway.resources.events import EventStreamRoute
from gateway.resources.health import Health
from gateway.resources.history import HistoryRows
from gateway.resources.hold import HoldRoute
from gateway.resources.login import LoginRoute
from gateway.resources.readers import OneReader, ReaderList
from gateway.resources.readiness import Livez, Readyz
from gateway.resources.shares import OneShare, SharesRoute
from gateway.resources.status import Metrics, StatusRoute
from gateway.router import Router
from gateway.settings import MIB, GatewaySettings
from gateway.streams.departures import Departures
from gateway.streams.draining import drain
from gateway.streams.heartbeats import Heartbeats
from gateway.streams.neighbour import Neighbours
from gateway.streams.readers import Readers
from gateway.streams.resets import Resets
from gateway.streams.shedding import Shedding
from gateway.unknown_routes import UnknownRoutes
from gateway.workers.descriptors import DescriptorRoom

_NATIVE_ONLY = (
    "/weir/agents",
    "/weir/agents/{name}",
    "/weir/search",
    "/weir/session/{session}/output/{output}",
)


class Worker:
    """What one gunicorn worker runs: it receives events, sends event streams, answers requests.

    Args:
        settings: of the gateway.
        room: how many connections the worker may have.
        boards: memory that all workers share, for statistics.
        seat: the number of this worker, and its index in the shared memory.
        heart: tells the supervisor regularly that the event loop of this worker is not blocked.
        key: signs the login cookies; the same in all workers.
        tls: has the certificate; None for plain HTTP.

    Attributes:
        app: serves weir's own routes.
        router: finds the resource of `app` for a path.
        readers: the open event streams.
        door: takes connections, and serves their requests.
        proxy: forwards the requests for all other routes to the upstream; None without an
            upstream.
        broken: a greenlet has failed, so the worker has asked gunicorn to replace it.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        room: DescriptorRoom,
        boards: Boards,
        seat: int,
        heart: Heart,
        key: bytes,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.readers = Readers(Relay(), settings.max_readers)
        self._heartbeats = Heartbeats(settings.heartbeat_ms / 1000, Ids())
        self.broken = False
        self._agents: AgentRoute | None = None
        self._drain_s = settings.drain
        self._shedding = Shedding(self.readers, settings.stall_timeout)
        self._feeds = Feeds(zmq.green.Context(), settings, self.readers)
        learns = settings.upstream is not None
        self._folders = SourceFolders(list(self._feeds), self.readers, settings.directory, learns)
        self.proxy, origins = None, None
        if settings.upstream is not None:
            origins = UpstreamOrigins(partial(preflight, settings.upstream))
        names = settings.cors.names if settings.cors else ()
        cors = Cors(names, origins, lambda: self._bulletin.origins())
        if settings.upstream is not None:
            self.proxy = Proxy(
                settings.upstream,
                settings.upstream_timeout,
                cors,
                origins,
                room.websockets,
                settings.base_path.path,
            )
        self._lag = LoopLag(heart)
        self._unknown, self._agent_counts = UnknownRoutes(), AgentCounts()
        observer = Observer(
            seat,
            self.readers,
            self._feeds,
            self._lag,
            self.proxy,
            self._unknown,
            origins,
            self._agent_counts,
        )
        self._boards = boards
        self._bulletin = Bulletin(boards.status, observer)
        self._departures = Departures(
            boards.departures, seat, self.readers, self._bulletin.left_open
        )
        self._resets = Resets(boards.resets, seat, self.readers, boards.status.occupied)
        self.router = Router()
        self._access = access_of(settings, self._feeds, self.readers, cors, key)
        self.app = self._routes(settings, cors)
        slots = Slots(room.streams + room.others + room.websockets, room.others)
        self.door = Door(
            self.app,
            self.proxy,
            slots,
            settings.trusted_proxies,
            self._access,
            settings.base_path,
            tls,
        )

    def start(self) -> None:
        """Start the greenlets in the background; if one of them fails, the worker is replaced."""
        loops: list[Callable[[], None]] = [
            *self._feeds.loops(),
            self.readers.lanes.run,
            self._heartbeats.run,
            self._folders.run,
            self._shedding.run,
            self._lag.run,
            self._bulletin.run,
            self._departures.run,
            self._resets.run,
            Revocation(self._access.identity, self.readers, self.door.served).run,
            *self._access.identity.loops(),
            Historian(self._boards.history, self._bulletin).run,
        ]
        for loop in loops:
            greenlet = gevent.spawn(loop)
            greenlet.link_exception(self._end)

    def drain(self) -> None:
        """End all event streams and WebSockets within ``--drain`` seconds, then return."""
        if self._agents is not None:
            self._agents.let_go()
        websockets = gevent.spawn(self._close_websockets)
        drain(self.readers, self._drain_s)
        websockets.join()

    def _close_websockets(self) -> None:
        if self.proxy is not None:
            self.proxy.tunnels.drain(self._drain_s)

    def sign_off(self) -> None:
        """Post the counts to the shared memory a last time, so that none are lost at the end."""
        self._bulletin.post()
        self._departures.post()

    def _end(self, _greenlet: object) -> None:
        """Ask gunicorn to replace this worker, since one of its greenlets has failed."""
        self.broken = True
        os.kill(os.getpid(), signal.SIGTERM)

    def _routes(
        self, settings: GatewaySettings, cors: Cors
    ) -> falcon.App[falcon.Request, falcon.Response]:
        upstream = settings.upstream
        app = falcon.App(middleware=cors, router=self.router)
        install_error_handlers(app, self._unknown)
        made_with = (self.readers, self._folders, self._heartbeats, settings, Ids(), Neighbours())
        for endpoint in Endpoint:
            app.add_route(endpoint.value, EventStreamRoute(endpoint, *made_with))
        app.add_route(own_routes.HEALTH, Health(self._feeds.memories[0]))
        self._add_checks(app)
        app.add_route("/weir/login", LoginRoute(self._access))
        shares = Shares(self._access.identity)
        app.add_route("/weir/shares", SharesRoute(shares, self._access.boundary))
        app.add_route("/weir/shares/{share}", OneShare(shares, self._access.boundary))
        add_console(app, at_root=upstream is None)
        if upstream is not None:
            for path in _NATIVE_ONLY:
                app.add_route(path, NotHere())
        else:
            self._agents = add_native_routes(
                app,
                self._feeds.requester,
                settings.directory,
                patience_s=settings.stall_timeout,
                max_message=settings.max_message * MIB,
                agent_counts=self._agent_counts,
                shares=shares,
                check_session=self._access.boundary.check_session,
            )
        return app

    def _add_checks(self, app: falcon.App[falcon.Request, falcon.Response]) -> None:
        checkup = Checkup(self._feeds.memories, self._feeds, self._bulletin)
        surveyor = Surveyor(self._bulletin, checkup, installed_version())
        app.add_route(own_routes.LIVEZ, Livez())
        app.add_route(own_routes.READYZ, Readyz(checkup))
        app.add_route("/weir/status", StatusRoute(surveyor))
        app.add_route("/weir/history", HistoryRows(self._boards.history))
        app.add_route("/weir/readers", ReaderList(surveyor, self._departures))
        app.add_route("/weir/readers/{reader}", OneReader(self._resets))
        app.add_route("/weir/hold", HoldRoute())
        app.add_route(own_routes.METRICS, Metrics(surveyor))
