"""The HTTP surface of a gateway that serves its own processor."""

from __future__ import annotations

from collections import defaultdict

import falcon

from bus.transport.requester import Requester
from gateway.monitor.agent_counts import AgentCounts
from gateway.resources.agents import Agent, AgentNames
from gateway.resources.body import MAX_BODY_BYTES
from gateway.resources.courier import Courier
from gateway.resources.intake import BodyIntake
from gateway.resources.openapi import Document
from gateway.resources.resource import Means, Resource
from gateway.resources.route import Route
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
) -> Agent:
    """Route everything but the event streams and health.

    Args:
        app: the application to add to; `gateway.errors.install_error_handlers` belongs to it.
        requester: asks the processor.
        default_directory: of requests that name none.
        patience_s: how long a client may accept nothing of a long answer.
        max_message: how long the body of a prompt may be.
        agent_counts: where the lines of agents are counted.

    Returns:
        The streams of agents, to be let go when the worker stops.
    """
    courier, intake = Courier(requester, patience_s), BodyIntake(max_message)
    means = Means(requester, courier, intake, default_directory)
    rows: dict[str, list[Route]] = defaultdict(list)
    for route in TABLE:
        rows[route.path].append(route)
    for path, routes in rows.items():
        app.add_route(path, Resource(routes, means))
    app.add_route("/doc", Document(TABLE))
    app.add_route("/weir/agents", AgentNames(requester))
    agents = Agent(requester, patience_s, agent_counts or AgentCounts())
    app.add_route("/weir/agents/{name}", agents)
    return agents
