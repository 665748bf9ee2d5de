"""Protects weir's own routes by the upstream's password, if the upstream has one.

opencode protects every route, even health. Without this, every client could get the events from
weir that the upstream protects by its password.
"""

from __future__ import annotations

from falcon import Request, Response

from bus.process.login import Login
from gateway.errors import answer_error
from gateway.own_routes import WITHOUT_PASSWORD

_CHALLENGE = 'Basic realm="Secure Area"'


class Guard:
    """Falcon middleware: answers 401 as opencode does."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def process_request(self, req: Request, resp: Response) -> None:
        """Refuse a request without the right password."""
        if req.path in WITHOUT_PASSWORD:
            return
        if self._login.admits(req.get_header("Authorization"), req.get_param("auth_token")):
            return
        answer_error(resp, 401, "this server needs a name and a password (HTTP Basic)")
        resp.set_header("WWW-Authenticate", _CHALLENGE)
        resp.complete = True
