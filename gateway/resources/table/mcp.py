"""The routes that show, add, start and stop the MCP servers of a directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bus.mcp import McpAdd, McpBody, McpStatus, McpSwitch
from gateway.resources.route import RequestContent, Route

_STATES = dict[str, dict[str, str]]


def _switch(on: bool) -> Callable[[RequestContent], McpSwitch]:
    return lambda given: McpSwitch(given.directory, given.path["name"], on)


ROUTES: Sequence[Route] = (
    Route(
        method="GET",
        path="/mcp",
        words="The state of each MCP server.",
        command=lambda given: McpStatus(given.directory),
        in_directory=True,
        answer=_STATES,
    ),
    Route(
        method="POST",
        path="/mcp",
        words="Add an MCP server for the directory; a server of the same name is replaced.",
        command=lambda given: McpAdd(given.directory, given.body),
        body=McpBody,
        in_directory=True,
        answer=_STATES,
    ),
    *(
        Route(
            method="POST",
            path=f"/mcp/{{name}}/{verb}",
            words=words,
            command=_switch(on),
            in_directory=True,
            answer=bool,
            refusals=(404,),
        )
        for verb, on, words in (
            ("connect", True, "Start an MCP server that is not connected."),
            ("disconnect", False, "End an MCP server; its tools are not offered any more."),
        )
    ),
)
