"""The HTTP surface of a gateway that serves its own processor."""

from __future__ import annotations

import falcon

from bus.requester import Requester
from gateway.resources.absent import ANSWERS, OF_A_SESSION, Absent, AbsentOfSession
from gateway.resources.courier import Courier
from gateway.resources.descriptions import DESCRIBED, Description
from gateway.resources.messages import Message, Messages
from gateway.resources.sessions import Session, Sessions, SessionStatuses
from gateway.resources.turns import Abort, PromptAsync

_App = falcon.App[falcon.Request, falcon.Response]


_PATIENCE_S = 30.0


def add_native_routes(
    app: _App, requester: Requester, default_directory: str, patience_s: float = _PATIENCE_S
) -> None:
    """Route everything but the event streams and health.

    Args:
        app: the application to add to; `gateway.errors.install_error_handlers` belongs to it.
        requester: asks the processor.
        default_directory: of requests that name none.
        patience_s: how long a client may accept nothing of a long answer.
    """
    courier = Courier(requester, patience_s)
    _add_session_routes(app, requester, courier, default_directory)
    for what in DESCRIBED:
        app.add_route(f"/{what}", Description(what, requester, default_directory))
    for path, body in ANSWERS.items():
        app.add_route(path, Absent(body))


def _add_session_routes(
    app: _App, requester: Requester, courier: Courier, default_directory: str
) -> None:
    app.add_route("/session", Sessions(requester, courier, default_directory))
    app.add_route("/session/status", SessionStatuses(requester, default_directory))
    app.add_route("/session/{session}", Session(requester))
    app.add_route("/session/{session}/message", Messages(requester, courier))
    app.add_route("/session/{session}/message/{message}", Message(courier))
    app.add_route("/session/{session}/prompt_async", PromptAsync(requester))
    app.add_route("/session/{session}/abort", Abort(requester))
    for name in OF_A_SESSION:
        app.add_route(f"/session/{{session}}/{name}", AbsentOfSession(requester))
