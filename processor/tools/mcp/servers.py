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
from processor.tools.process import ToolProcesses
from processor.tools.tool import Call, Need, Outcome, Tool, ToolFailed

MOST_NAME = 64
"""The longest name of a tool that providers accept, in characters."""
READY_S = 20.0
"""How long a turn waits for servers that have not been ready yet."""
_ODD = re.compile(r"[^a-zA-Z0-9_-]")


class TooManyServers(Exception):
    """There are `MOST_SERVERS` MCP servers already, so no further server may be added."""


class UnknownServer(Exception):
    """There is no MCP server of this name in a directory."""


class McpServers:
    """The MCP servers of every directory, and those that a client has added for one directory.

    Args:
        servers: the servers that are available in every directory, by their names.
        processes: starts the servers.
    """

    def __init__(self, servers: Mapping[str, McpServer], processes: ToolProcesses) -> None:
        self._processes = processes
        self._servers: dict[tuple[str | None, str], ServerProcess] = {}
        for name, config in servers.items():
            self._servers[None, name] = ServerProcess(name, config, processes)

    def add(self, name: str, config: McpServer, directory: str) -> None:
        """Add a server for a directory; end a server of this directory that has the same name.

        Raises:
            TooManyServers: there are `MOST_SERVERS` servers already.
        """
        before = self._servers.get((directory, name))
        if before is not None and before.config == config:
            return
        if before is None and len(self._servers) >= MOST_SERVERS:
            raise TooManyServers(f"{MOST_SERVERS} MCP servers run, and no more may")
        if before is not None:
            before.close()
        self._servers[directory, name] = ServerProcess(name, config, self._processes)

    def switch(self, name: str, directory: str, on: bool) -> None:
        """Start a server (`on`), or end it.

        If the server is one for every directory, it changes in all of them.

        Raises:
            UnknownServer: the directory has no server of this name.
        """
        server = self._of(directory).get(name)
        if server is None:
            raise UnknownServer(f"MCP server {name!r} does not exist in {directory}")
        place = directory if (directory, name) in self._servers else None
        if on and server.is_connected:
            return
        server.close()
        config = replace(server.config, enabled=on)
        self._servers[place, name] = ServerProcess(name, config, self._processes)

    def status(self, directory: str) -> dict[str, dict[str, str]]:
        """Return the state of each server of a directory, by name, in opencode's form."""
        return {name: server.status() for name, server in self._of(directory).items()}

    def has_tool(self, name: str) -> bool:
        """Return whether any server has a tool that models call by this name (see `tool_name`)."""
        return any(
            tool_name(server.name, tool.name) == name
            for server in self._servers.values()
            for tool in server.tools
        )

    def tools(self, directory: str) -> dict[str, Tool]:
        """Return the tools of a directory's servers by name; wait up to `READY_S` for new servers.

        Tools of servers that are not connected are left out.
        """
        servers = self._of(directory).values()
        gevent.joinall([gevent.spawn(server.wait, READY_S) for server in servers])
        found = dict[str, Tool]()
        for server in servers:
            for tool in server.tools if server.is_connected else ():
                made = _tool(server, tool)
                found.setdefault(made.name, made)
        return found

    def close(self) -> None:
        """End all servers, and wait for their ends."""
        gevent.joinall([gevent.spawn(server.close) for server in self._servers.values()])

    def _of(self, directory: str) -> dict[str, ServerProcess]:
        """Return the servers of a directory by name.

        A server that was added for the directory replaces a server for every directory.
        """
        return {
            name: server
            for wanted in (None, directory)
            for (place, name), server in self._servers.items()
            if place == wanted
        }


def tool_name(server: str, tool: str) -> str:
    """Return the name by which models call a server's tool: ``SERVER_TOOL``.

    Characters that providers refuse become ``_``; a long name is cut and gets a checksum.
    """
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
    """Return the arguments of a call as a dict; the server itself checks them further.

    Raises:
        ToolFailed: the arguments are not a JSON object.
    """
    if isinstance(arguments, str | bytes | bytearray):
        try:
            arguments = msgspec.json.decode(arguments or b"{}")
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ToolFailed(f"The arguments of {tool} are invalid: {error}") from None
    if not isinstance(arguments, dict):
        raise ToolFailed(f"The arguments of {tool} are invalid: an object is expected")
    return arguments
