"""Which folder a path names: the same for each spelling, on the machine that has the folder."""

from __future__ import annotations

import os

from msgspec.structs import replace

from bus.commands import (
    Command,
    Describe,
    Dispose,
    Search,
    SessionCreate,
    SessionList,
    SessionsV2,
    Statuses,
)

_OF_A_FOLDER = SessionCreate | SessionList | SessionsV2 | Statuses | Describe | Dispose | Search


def resolved(path: str) -> str:
    """Return the folder of an absolute path, without symbolic links, as an opencode names it.

    A folder that is not there, or must not be looked into, keeps its name.
    """
    try:
        return os.path.realpath(path, strict=True)
    except (OSError, ValueError):
        return path


def placed(command: Command) -> Command:
    """Return a command with its directory, if it has one, resolved."""
    if isinstance(command, _OF_A_FOLDER) and command.directory is not None:
        return replace(command, directory=resolved(command.directory))
    return command
