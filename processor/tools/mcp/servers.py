"""All MCP servers of a processor, and their tools."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

import gevent
import msgspec
from msgspec.structs import replace

from bus.mcp import McpServer
from processor.tools.mcp.config import MOST_SERVERS
from processor.tools.mcp.server import RemoteTool, ServerProcess
from processor.tools.tool import Call, Need, Outcome, Tool, ToolFailed

MOST_NAME = 64
"""Characters of a tool's name that providers take."""
READY_S = 20.0
"""How long a turn waits for servers that are being started for the first time."""
_ODD = re.compile(r"[^a-zA-Z0-9_-]")


class TooManyServers(Exception):
    """No further server may be added."""


class UnknownServer(Exception):
    """A directory has no server of this name."""


class McpServers:
    """Servers that serve every directory, and servers that a client has added for one.

    Args:
        servers: those for every directory, by their names.
        environment: of their processes.
    """

    def __init__(self, servers: Mapping[str, McpServer], environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._servers: dict[tuple[str | None, str], ServerProcess] = {}
        for name, config in servers.items():
            self._servers[None, name] = ServerProcess(name, config, environment)

    def add(self, name: str, config: McpServer, directory: str) -> None:
        """Add a server for a directory, or put it in the place of one with its name.

        Raises:
            TooManyServers: there are too many.
        """
        before = self._servers.get((directory, name))
        if before is not None and before.config == config:
            return
        if before is None and len(self._servers) >= MOST_SERVERS:
            raise TooManyServers(f"{MOST_SERVERS} MCP servers run, and no more may")
        if before is not None:
            before.close()
        self._servers[directory, name] = ServerProcess(name, config, self._environment)

    def switch(self, name: str, directory: str, on: bool) -> None:
        """Start a server again, or end it; a server for every directory changes in all of them.

        Raises:
            UnknownServer: the directory has no server of this name.
        """
        place = next((one for one in (directory, None) if (one, name) in self._servers), "")
        if place == "":
            raise UnknownServer(f"MCP server {name!r} does not exist in {directory}")
        server = self._servers[place, name]
        if on and server.is_connected:
            return
        server.close()
        config = replace(server.config, enabled=on)
        self._servers[place, name] = ServerProcess(name, config, self._environment)

    def status(self, directory: str) -> dict[str, dict[str, str]]:
        """Return the state of each server of a directory, in opencode's words."""
        return {name: server.status() for name, server in self._of(directory).items()}

    def has_tool(self, name: str) -> bool:
        """Return whether any server that is connected has a tool of this name for the model."""
        return any(
            tool_name(server.name, tool.name) == name
            for server in self._servers.values()
            for tool in server.tools
        )

    def tools(self, directory: str) -> dict[str, Tool]:
        """Return the tools of all servers of a directory that are ready."""
        servers = self._of(directory).values()
        gevent.joinall([gevent.spawn(server.wait, READY_S) for server in servers])
        found = dict[str, Tool]()
        for server in servers:
            for tool in server.tools if server.is_connected else ():
                made = _tool(server, tool)
                found.setdefault(made.name, made)
        return found

    def close(self) -> None:
        """End all servers."""
        gevent.joinall([gevent.spawn(server.close) for server in self._servers.values()])

    def _of(self, directory: str) -> dict[str, ServerProcess]:
        """Return the servers of a directory; its own come before those for all."""
        return {
            name: server
            for wanted in (None, directory)
            for (place, name), server in self._servers.items()
            if place == wanted
        }


def tool_name(server: str, tool: str) -> str:
    """Return the name by which a model calls a tool of a server."""
    name = f"{_ODD.sub('_', server)}_{_ODD.sub('_', tool)}"
    if len(name) <= MOST_NAME:
        return name
    return f"{name[: MOST_NAME - 9]}_{zlib.crc32(name.encode()):08x}"


def _tool(server: ServerProcess, tool: RemoteTool) -> Tool:
    name = tool_name(server.name, tool.name)

    def run(arguments: Any, call: Call) -> Outcome:
        given = _object(arguments, name)
        call.need(Need(name, ["*"], ["*"], {"server": server.name, "tool": tool.name}))
        result = server.call(tool.name, given)
        if result.is_error:
            raise ToolFailed(result.text or "the server says that the call failed")
        return Outcome(result.text, tool.name, {}, result.files)

    return Tool(name, tool.description, tool.parameters, run)


def _object(arguments: Any, tool: str) -> dict[str, Any]:
    """Return the arguments of a call; the server itself knows which are right."""
    if isinstance(arguments, str | bytes | bytearray):
        try:
            arguments = msgspec.json.decode(arguments or b"{}")
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ToolFailed(f"The arguments of {tool} are invalid: {error}") from None
    if not isinstance(arguments, dict):
        raise ToolFailed(f"The arguments of {tool} are invalid: an object is expected")
    return arguments
