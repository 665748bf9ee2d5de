"""The settings of the tools that models call, from flags and environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from bus.mcp import McpServer
from bus.process.flags import Flag, whole
from processor.tools.mcp.config import MCP_CONFIG, servers_in

_MIB = 1024 * 1024
_OURS = ("WEIR_", "OPENCODE_SERVER_")
# systemd sets these variables for weir's own process; in a command of a tool they would be wrong.
_OF_THIS_PROCESS = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID")


class ToolSettings(Struct, frozen=True):
    """The settings of all tools.

    Attributes:
        environment: the variables for the processes of tools and MCP servers, without weir's
            secrets.
        processes: how many commands and searches may run at once, in all sessions together.
        spool_quota: the limit of all files with long tool output together, in bytes.
        mcp: the MCP servers that are available in every directory, by their names.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    processes: int = 32
    spool_quota: int = 2048 * _MIB
    mcp: Mapping[str, McpServer] = field(default_factory=dict)


_DEFAULT = ToolSettings()
TOOL_PROCESSES = Flag(
    "tool-processes",
    whole(1, 1000),
    _DEFAULT.processes,
    "how many commands and searches of tools may run at once; further ones wait",
)
SPOOL_QUOTA = Flag(
    "spool-quota",
    whole(1, 1024 * 1024),
    _DEFAULT.spool_quota // _MIB,
    "how many MiB of full tool output are kept on disk; then the oldest output is removed",
)
TOOL_FLAGS = (TOOL_PROCESSES, SPOOL_QUOTA, MCP_CONFIG)


def tool_settings(values: Mapping[str, Any], environ: Mapping[str, str]) -> ToolSettings:
    """Return the settings of the tools.

    Args:
        values: the values of all flags of the processor, by `Flag.key`.
        environ: the environment variables of this process.

    Raises:
        BadFlag: the file of ``--mcp-config`` cannot be read, or its content is wrong.
    """
    file = values[MCP_CONFIG.key]
    return ToolSettings(
        environment=without_secrets(environ),
        processes=values[TOOL_PROCESSES.key],
        spool_quota=values[SPOOL_QUOTA.key] * _MIB,
        mcp={} if file is None else servers_in(file, environ),
    )


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that commands of a model may see: without weir's keys and passwords."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_OURS) and name not in _OF_THIS_PROCESS
    }
