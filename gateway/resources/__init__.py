"""The HTTP surface of a gateway that serves its own processor."""

from __future__ import annotations

import falcon

from bus.transport.requester import Requester
from gateway.monitor.agent_counts import AgentCounts
from gateway.resources.absent import ANSWERS, OF_A_SESSION, Absent, AbsentOfSession
from gateway.resources.agents import Agent, AgentNames
from gateway.resources.asks import (
    AsksRoute,
    PermissionAnswer,
    PermissionOfSession,
    QuestionAnswer,
    QuestionRefusal,
)
from gateway.resources.body import MAX_BODY_BYTES
from gateway.resources.courier import Courier
from gateway.resources.descriptions import DESCRIBED, Description
from gateway.resources.intake import BodyIntake
from gateway.resources.messages import MessageRoute, MessagesRoute
from gateway.resources.sessions import SessionRoute, Sessions, SessionStatuses, TodosRoute
from gateway.resources.turns import Abort, PromptAsync

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
    _add_session_routes(app, requester, patience_s, max_message, default_directory)
    app.add_route("/weir/agents", AgentNames(requester))
    agents = Agent(requester, patience_s, agent_counts or AgentCounts())
    app.add_route("/weir/agents/{name}", agents)
    for what in DESCRIBED:
        app.add_route(f"/{what}", Description(what, requester, default_directory))
    for path, body in ANSWERS.items():
        app.add_route(path, Absent(body))
    return agents


def _add_session_routes(
    app: _App, requester: Requester, patience_s: float, max_message: int, default_directory: str
) -> None:
    courier, intake = Courier(requester, patience_s), BodyIntake(max_message)
    app.add_route("/session", Sessions(requester, courier, intake, default_directory))
    app.add_route("/session/status", SessionStatuses(requester, default_directory))
    app.add_route("/session/{session}", SessionRoute(requester, intake))
    app.add_route("/session/{session}/message", MessagesRoute(requester, courier, intake))
    app.add_route("/session/{session}/message/{message}", MessageRoute(courier))
    app.add_route("/session/{session}/prompt_async", PromptAsync(requester, intake))
    app.add_route("/session/{session}/abort", Abort(requester))
    app.add_route("/session/{session}/todo", TodosRoute(requester))
    for name in OF_A_SESSION:
        app.add_route(f"/session/{{session}}/{name}", AbsentOfSession(requester))
    app.add_route("/permission", AsksRoute("permission", requester, default_directory))
    app.add_route("/permission/{request}/reply", PermissionAnswer(requester, intake))
    app.add_route(
        "/session/{session}/permissions/{request}", PermissionOfSession(requester, intake)
    )
    app.add_route("/question", AsksRoute("question", requester, default_directory))
    app.add_route("/question/{request}/reply", QuestionAnswer(requester, intake))
    app.add_route("/question/{request}/reject", QuestionRefusal(requester))
