"""Resolves a path from a model, and asks for permission if it is outside the session's directory.

Symbolic links and ``..`` are resolved before the check. The tools then open the resolved path with
`processor.tools.nofollow`, so a link that is made after the check has no effect.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec import Struct

from processor.tools.threads import Threads
from processor.tools.tool import Call, Need, ToolFailed


class ToolPath(Struct, frozen=True):
    """A path from a model, resolved.

    Attributes:
        real: the absolute path, without symbolic links.
        name: the path relative to the session's directory; shown to people, matched by rules.
        is_inside: whether the path is in the session's directory.
        is_folder: whether the path is a folder.
        exists: whether there is a file or folder at the path.
    """

    real: str
    name: str
    is_inside: bool
    is_folder: bool
    exists: bool


class Places:
    """Resolves the paths of tool calls, and asks for permission to leave the session's directory.

    Args:
        threads: the threads in which paths are resolved.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    def find(self, call: Call, path: str, field: str, free: Sequence[str] = ()) -> ToolPath:
        """Resolve a path; return when the call may use it, which may wait for a person's answer.

        Args:
            call: the running call.
            path: an absolute path, or one relative to the session's directory.
            field: the name of the argument with the path, for error messages.
            free: folders outside the session's directory that need no permission.

        Raises:
            ToolFailed: the path cannot be used.
            CallRefused: the path is outside the session's directory, and this is not allowed.
        """
        if not path:
            raise ToolFailed(f"{field}: is empty; give a path")
        try:
            place = self.look(call, path)
        except (OSError, ValueError) as error:
            raise ToolFailed(f"{field}: {path!r} cannot be used: {error}") from None
        if not place.is_inside and not any(_is_in(place.real, folder) for folder in free):
            call.need(outside(place))
        return place

    def look(self, call: Call, path: str) -> ToolPath:
        """Resolve a path without asking for permission; the caller must ask before using it.

        Raises:
            OSError, ValueError: the path cannot be used.
        """
        return self._threads.run(_place, call.directory, path)


def outside(place: ToolPath) -> Need:
    """Return the permission that a path outside the session's directory needs: for its folder."""
    parent = place.real if place.is_folder else os.path.dirname(place.real)
    pattern = os.path.join(parent, "*")
    metadata = {"filepath": place.real, "parentDir": parent}
    return Need("external_directory", [pattern], [pattern], metadata)


def _place(directory: str, path: str) -> ToolPath:
    root = os.path.realpath(directory)
    real = os.path.realpath(os.path.join(root, path))
    return ToolPath(
        real,
        os.path.relpath(real, root),
        _is_in(real, root),
        os.path.isdir(real),
        os.path.lexists(real),
    )


def _is_in(real: str, root: str) -> bool:
    return os.path.commonpath([root, real]) == root
