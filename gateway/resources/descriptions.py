"""What clients ask for when they start: configuration, models, agents, paths, projects."""

from __future__ import annotations

from typing import Literal

from falcon import Request, Response

from bus.commands import Describe
from bus.transport.requester import Requester
from gateway.directory import directory_of
from gateway.resources.answer import answer

What = Literal[
    "config", "config/providers", "provider", "agent", "path", "project", "project/current"
]
DESCRIBED: tuple[What, ...] = (
    "config",
    "config/providers",
    "provider",
    "agent",
    "path",
    "project",
    "project/current",
)


class Description:
    """``/config``, ``/agent`` and the like."""

    def __init__(self, what: What, requester: Requester, default_directory: str) -> None:
        self._what = what
        self._requester = requester
        self._default_directory = default_directory

    def on_get(self, req: Request, resp: Response) -> None:
        """Answer the description as it is in the directory of the request."""
        directory = directory_of(req, self._default_directory)
        answer(resp, self._requester.call(Describe(self._what, directory)).body)
