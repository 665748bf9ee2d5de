"""MCP servers in the shape of opencode's configuration, and the commands about them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

CALL_S = 120.0
"""How long a call may take if the configuration gives no ``timeout``."""


class _Server(Struct, tag_field="type", kw_only=True):
    """Fields of both kinds.

    Attributes:
        enabled: False: the server is neither started nor called.
        timeout: how long a call may take, ms; None for `CALL_S`.
    """

    enabled: bool = True
    timeout: Annotated[int, Meta(ge=1, le=86_400_000)] | None = None

    @property
    def timeout_s(self) -> float:
        """How long a call may take."""
        return CALL_S if self.timeout is None else self.timeout / 1000


class LocalServer(_Server, tag="local"):
    """A command that weir starts; its stdin and stdout carry the protocol."""

    command: Annotated[list[str], Meta(min_length=1, max_length=1000)]
    environment: dict[str, str] = {}
    cwd: str | None = None


class RemoteServer(_Server, tag="remote"):
    """A server at a URL, by streamable HTTP."""

    url: Annotated[str, Meta(pattern="^https?://[^/]+")]
    headers: dict[str, str] = {}


McpServer = LocalServer | RemoteServer


class McpBody(Struct):
    """Body of ``POST /mcp``."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    config: McpServer


class McpStatus(Struct, tag=True):
    """Return the state of the MCP servers of a directory. Body: an object by their names."""

    directory: str


class McpAdd(Struct, tag=True):
    """Add an MCP server for a directory. Body: as of `McpStatus`."""

    directory: str
    body: McpBody


class McpSwitch(Struct, tag=True):
    """Start an MCP server again, or end it. Body: true."""

    directory: str
    name: str
    on: bool
