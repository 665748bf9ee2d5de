"""Reads the flags ``--tools`` and ``--permission``: which tools models may call, and when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from bus import json
from bus.process.flags import BadFlag, Flag, Kind, one_of
from processor.native.modes import Modes, built_in
from processor.native.permissions import (
    BadPermissions,
    PermissionRule,
    Rules,
    from_config,
)

_MOST_BYTES = 1024 * 1024
_CHANGE_FILES = frozenset(["write", "edit", "patch", "multiedit"])


class Allowance(Struct, frozen=True):
    """What the user allows models to do in one processor.

    Attributes:
        offered: whether models may call tools at all.
        modes: weir's own agents by name; their permissions include the user's rules.
    """

    offered: bool = True
    modes: Modes = field(default_factory=built_in)


def _file(value: str) -> Path:
    if not value.strip() or not value.isprintable():
        raise ValueError
    return Path(value).absolute()


TOOLS = Flag("tools", one_of("on", "off"), "on", "whether the model may call tools")
PERMISSION = Flag(
    "permission",
    Kind(_file, "a JSON file"),
    None,
    'the file that says what tools may do, as in opencode: {"permission": {"bash": "ask"}}',
)
ALLOWANCE_FLAGS = (TOOLS, PERMISSION)


def allowance(values: Mapping[str, Any], home: str) -> Allowance:
    """Return what the user allows models to do.

    Args:
        values: the values of all flags of the processor, by their keys.
        home: the user's home folder; replaces ``~`` and ``$HOME`` in the patterns of rules.

    Raises:
        BadFlag: the file of ``--permission`` cannot be read, or its content is wrong.
    """
    file = values[PERMISSION.key]
    modes = built_in() if file is None else _modes(file, home)
    return Allowance(values[TOOLS.key] == "on", modes)


def _modes(file: Path, home: str) -> Modes:
    where = f"--{PERMISSION.name}: '{file}'"
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise BadFlag(f"{where} has more than {_MOST_BYTES} bytes")
        config = json.decode(data)
    except OSError as error:
        raise BadFlag(f"{where} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BadFlag(f"{where} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise BadFlag(f"{where} holds no JSON object")
    try:
        return built_in(_rules(config, home), _rules_of_agents(config, home))
    except BadPermissions as error:
        raise BadFlag(f"{where}: {error}") from None


def _rules(config: Mapping[str, Any], home: str) -> Rules:
    """Return the rules in a config's ``permission``.

    A file without the keys of an opencode config is itself read as the value of ``permission``.
    """
    switched = _switches(config)
    return [*switched, *from_config(config.get("permission", _alone(config)), home)]


def _alone(config: Mapping[str, Any]) -> Any:
    is_config = any(name in config for name in ("agent", "tools", "$schema"))
    return {} if is_config else config


def _switches(config: Mapping[str, Any]) -> Rules:
    """Return the rules in a config's ``tools``: opencode's older form of ``permission``."""
    try:
        tools = msgspec.convert(config.get("tools", {}), dict[str, bool])
    except msgspec.ValidationError as error:
        raise BadPermissions(f"tools: {error}") from None
    return [
        PermissionRule("edit" if name in _CHANGE_FILES else name, "*", "allow" if on else "deny")
        for name, on in tools.items()
    ]


def _rules_of_agents(config: Mapping[str, Any], home: str) -> dict[str, Rules]:
    agents = config.get("agent", {})
    if not isinstance(agents, dict):
        raise BadPermissions("agent: not an object")
    return {
        name: [*_switches(agent), *from_config(agent.get("permission", {}), home)]
        for name, agent in agents.items()
        if isinstance(agent, dict)
    }
