"""Reads the file of ``--mcp-config``: the MCP servers that are available in every directory."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from bus.mcp import McpServer
from bus.process.flags import BadFlag, Flag, Kind

MOST_SERVERS = 64
EXTRA = "MCP servers need the package mcp: install weir-events[mcp]"
_MOST_FILE_BYTES = 1024 * 1024
_VARIABLE = re.compile(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


class _File(Struct):
    mcp: dict[str, McpServer]


MCP_CONFIG = Flag(
    "mcp-config",
    Kind(Path, "a file"),
    None,
    "a JSON file with MCP servers, as `mcp` in opencode's configuration",
)


def servers_in(file: Path, environ: Mapping[str, str]) -> dict[str, McpServer]:
    """Return the servers in a file, by their names.

    In the file, ``{env:NAME}`` is replaced by the environment variable ``NAME``, so that the file
    need not contain secrets.

    Raises:
        BadFlag: the file cannot be read or is wrong, or the package ``mcp`` is not installed.
    """
    flag = f"--{MCP_CONFIG.name}"
    try:
        with open(file, "rb") as opened:
            data = opened.read(_MOST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadFlag(f"{flag}: {str(file)!r} cannot be read: {why}") from None
    if len(data) > _MOST_FILE_BYTES:
        raise BadFlag(f"{flag}: {str(file)!r} has more than {_MOST_FILE_BYTES} bytes")
    try:
        filled = _filled(data.decode(), environ)
        found = msgspec.json.decode(filled, type=_File).mcp
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadFlag(
            f'{flag}: {str(file)!r}: {error}; allowed is {{"mcp": {{"NAME": {{"type": "local", '
            '"command": [...]} or {"type": "remote", "url": "https://..."}}}'
        ) from None
    if len(found) > MOST_SERVERS:
        raise BadFlag(f"{flag}: {len(found)} servers, and at most {MOST_SERVERS} are allowed")
    if found and not is_installed():
        raise BadFlag(f"{flag}: {EXTRA}")
    return found


def is_installed() -> bool:
    """Return whether the optional package ``mcp``, which MCP servers need, is installed."""
    return importlib.util.find_spec("mcp") is not None


def _filled(words: str, environ: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        return msgspec.json.encode(environ.get(found[1], "")).decode()[1:-1]

    return _VARIABLE.sub(value, words)
