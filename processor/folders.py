"""Resolves the folder in a command: the same name for each spelling of its path."""

from __future__ import annotations

import os

from msgspec.structs import replace

from bus.commands import (
    Command,
    Describe,
    Dispose,
    Files,
    Search,
    SessionCreate,
    SessionList,
    SessionsV2,
    Statuses,
)

_OF_A_FOLDER = (
    SessionCreate | SessionList | SessionsV2 | Statuses | Describe | Dispose | Search | Files
)


def resolved(path: str) -> str:
    """Return an absolute path without symbolic links, as opencode names folders.

    A folder that does not exist, or must not be read, keeps its name.
    """
    try:
        return os.path.realpath(path, strict=True)
    except (OSError, ValueError):
        return path


def placed(command: Command) -> Command:
    """Return a command whose directory, if it has one, is resolved."""
    if isinstance(command, _OF_A_FOLDER) and command.directory is not None:
        return replace(command, directory=resolved(command.directory))
    return command
