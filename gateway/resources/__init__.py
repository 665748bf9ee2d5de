"""The HTTP routes that a gateway answers itself. Without an upstream, these are all routes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import falcon

from bus.transport.requester import Requester
from gateway.access.shares import Shares
from gateway.monitor.agent_counts import AgentCounts
from gateway.relay.scope import Scope
from gateway.resources.agents import AgentNames, AgentRoute
from gateway.resources.body import MAX_BODY_BYTES
from gateway.resources.courier import Courier
from gateway.resources.intake import BodyIntake
from gateway.resources.openapi import Document
from gateway.resources.resource import Means, Resource
from gateway.resources.route import Route
from gateway.resources.shares import SessionShare
from gateway.resources.table import TABLE

_App = falcon.App[falcon.Request, falcon.Response]


_PATIENCE_S = 30.0


def add_native_routes(
    app: _App,
    requester: Requester,
    default_directory: str,
    patience_s: float = _PATIENCE_S,
    max_message: int = MAX_BODY_BYTES,
    agent_counts: AgentCounts | None = None,
    shares: Shares | None = None,
    check_session: Callable[[str, Scope | None], None] | None = None,
) -> AgentRoute:
    """Add the routes of native mode (without an upstream), except event streams and health checks.

    Args:
        app: the Falcon application; it needs `gateway.errors.install_error_handlers`.
        requester: sends commands to the processor.
        default_directory: the directory of requests that name no directory.
        patience_s: after how many seconds a client that accepts no byte of a long answer is reset.
        max_message: the limit of a prompt's body, in bytes.
        agent_counts: counts the lines of agents.
        shares: the links to sessions; None: links cannot be made.
        check_session: refuses a session that is not in a scope; None: no request has a scope.

    Returns:
        The route with the streams of agents, which the worker has to end when it stops.
    """
    courier, intake = Courier(requester, patience_s), BodyIntake(max_message)
    means = Means(requester, courier, intake, default_directory, check_session)
    rows: dict[str, list[Route]] = defaultdict(list)
    for route in TABLE:
        rows[route.path].append(route)
    for path, routes in rows.items():
        app.add_route(path, Resource(routes, means))
    app.add_route("/session/{session}/share", SessionShare(shares or Shares(), requester))
    app.add_route("/doc", Document(TABLE))
    app.add_route("/weir/agents", AgentNames(requester))
    agents = AgentRoute(requester, patience_s, agent_counts or AgentCounts())
    app.add_route("/weir/agents/{name}", agents)
    return agents
