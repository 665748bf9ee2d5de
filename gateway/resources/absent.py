"""Empty answers about tools, plugins and editors' services, which weir does not have.

Clients ask for these when they start and fail without an answer. Each one is true: there are
none. Whatever would need more than that has no route.
"""

from __future__ import annotations

from falcon import Request, Response

from bus.commands import SessionGet
from bus.transport.requester import Requester
from gateway.resources.answer import answer

ANSWERS = {
    "/command": b"[]",
    "/skill": b"[]",
    "/mcp": b"{}",
    "/lsp": b"[]",
    "/formatter": b"[]",
    "/vcs": b"{}",
    "/provider/auth": b"{}",
    "/experimental/capabilities": b'{"backgroundSubagents":false}',
    "/experimental/console": b'{"consoleManagedProviders":[],"switchableOrgCount":0}',
    "/experimental/resource": b"{}",
    "/experimental/workspace": b"[]",
    "/experimental/workspace/status": b"[]",
}
OF_A_SESSION = ("diff",)


class Absent:
    """A feature that is not there."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def on_get(self, req: Request, resp: Response) -> None:
        """Answer that there is nothing."""
        answer(resp, self._body)


class AbsentOfSession:
    """A list of a session that has no entries; the session itself must be there."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def on_get(self, req: Request, resp: Response, session: str) -> None:
        """Answer an empty list."""
        self._requester.call(SessionGet(session))
        answer(resp, b"[]")
