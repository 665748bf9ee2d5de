"""Executes the commands that show, add, start and stop MCP servers."""

from __future__ import annotations

from bus.answers import CommandFailed
from bus.mcp import McpAdd, McpStatus, McpSwitch
from processor.tools.mcp.servers import McpServers, TooManyServers, UnknownServer


class McpCommands:
    """Executes `McpStatus`, `McpAdd` and `McpSwitch`.

    Args:
        servers: the MCP servers; None if this processor gives its model no tools.
    """

    def __init__(self, servers: McpServers | None) -> None:
        self._servers = servers

    def status(self, c: McpStatus) -> dict[str, dict[str, str]]:
        """Return the state of each MCP server of a directory by its name, in opencode's form."""
        return {} if self._servers is None else self._servers.status(c.directory)

    def add(self, c: McpAdd) -> dict[str, dict[str, str]]:
        """Add a server for a directory, and return the state of all servers of the directory.

        Raises:
            CommandFailed: there are too many servers, or the model has no tools.
        """
        servers = self._usable()
        try:
            servers.add(c.body.name, c.body.config, c.directory)
        except TooManyServers as error:
            raise CommandFailed("full", str(error)) from error
        return servers.status(c.directory)

    def switch(self, c: McpSwitch) -> bool:
        """Start a server again (`c.on`), or stop it.

        Raises:
            CommandFailed: the server does not exist, or the model has no tools.
        """
        try:
            self._usable().switch(c.name, c.directory, c.on)
        except UnknownServer as error:
            raise CommandFailed("not_found", str(error)) from error
        return True

    def _usable(self) -> McpServers:
        if self._servers is None:
            raise CommandFailed(
                "unsupported", "the model has no tools here: see --tools and --agent"
            )
        return self._servers
