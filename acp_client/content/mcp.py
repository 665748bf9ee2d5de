"""Reads `mcpServers`, the MCP servers that an editor wants the agent to use, in several forms.

ACP asks for a list of objects, whose `env` and `headers` are lists of ``{"name", "value"}``. Some
editors send null or ``{}`` for an empty list, an object with the names as keys instead of a list,
or a null `type`. A bad entry is skipped and logged, because the session must open all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

Json = dict[str, Any]


class McpServer(Struct):
    """An MCP server, and its configuration as the body of opencode's ``POST /mcp`` has it."""

    name: str
    config: Json


class UnusableMcpServer(ValueError):
    """An entry of `mcpServers` is bad; the message names the field.

    The message never contains the value, because it may be a secret.
    """


def servers_of(given: Any) -> tuple[list[McpServer], list[str]]:
    """Return the servers that `mcpServers` names, and a message for each bad entry."""
    servers, problems = [], []
    try:
        entries = list(_entries(given))
    except UnusableMcpServer as unusable:
        return [], [str(unusable)]
    for where, entry in entries:
        try:
            servers.append(_server(entry))
        except UnusableMcpServer as unusable:
            problems.append(f"{where}: {unusable}")
    return servers, problems


def _entries(given: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(given, dict):
        for name, entry in given.items():
            named = {"name": name, **entry} if isinstance(entry, dict) else entry
            yield f"mcpServers.{name}", named
    elif isinstance(given, list):
        for number, entry in enumerate(given):
            yield f"mcpServers[{number}]", entry
    elif given is not None:
        raise UnusableMcpServer(f"mcpServers: a list of objects is expected, not {_kind(given)}")


def _server(entry: Any) -> McpServer:
    if not isinstance(entry, dict):
        raise UnusableMcpServer(f"an object is expected, not {_kind(entry)}")
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise UnusableMcpServer("name: a text is expected")
    url, command = entry.get("url"), _command(entry)
    # Whether the server is local or remote follows from `command` and `url`. `type` counts only if
    # an entry has both, because editors often leave it out.
    if command and (not url or entry.get("type") in ("stdio", "local", None)):
        environment = _values(entry, "env")
        return McpServer(name, {"type": "local", "command": command, "environment": environment})
    if isinstance(url, str) and url:
        return McpServer(
            name, {"type": "remote", "url": url, "headers": _values(entry, "headers")}
        )
    raise UnusableMcpServer(f"{name}: there is neither command nor url; give one of them")


def _command(entry: Json) -> list[str]:
    command = entry.get("command")
    words = command if isinstance(command, list) else [command] if command else []
    return [_text(word, "command") for word in words] + [
        _text(word, "args") for word in _list(entry, "args")
    ]


def _list(entry: Json, field: str) -> list[Any]:
    given = entry.get(field)
    if not given:
        return []
    if not isinstance(given, list):
        raise UnusableMcpServer(f"{field}: a list is expected, not {_kind(given)}")
    return given


def _values(entry: Json, field: str) -> dict[str, str]:
    """Return the values of a field by name.

    The field is a list of ``{"name", "value"}``, or an object.
    """
    given = entry.get(field)
    if isinstance(given, dict):
        return {name: _text(value, f"{field}.{name}") for name, value in given.items()}
    values = {}
    for number, one in enumerate(_list(entry, field)):
        where = f"{field}[{number}]"
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise UnusableMcpServer(f"{where}: an object with name and value is expected")
        values[one["name"]] = _text(one.get("value"), f"{where}.value")
    return values


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise UnusableMcpServer(f"{where}: a text is expected, not {_kind(value)}")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "a boolean", int: "a number", float: "a number", str: "a text"}.get(
        type(value), "a list" if isinstance(value, list) else "an object"
    )
