"""Resolves a path from a model, and finds out whether it is in the session's directory.

Links and ``..`` are resolved before the path is checked. The tools then open the resolved path
with `processor.tools.nofollow`, so a link that is made after the check has no effect.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec import Struct

from processor.tools.threads import Threads
from processor.tools.tool import Call, Need, ToolFailed


class ToolPath(Struct, frozen=True):
    """A path from a model.

    Attributes:
        real: absolute, without links.
        name: relative to the session's directory, for people and for rules.
        is_inside: whether it is in the session's directory.
        is_folder: whether it is a folder.
        exists: whether it exists.
    """

    real: str
    name: str
    is_inside: bool
    is_folder: bool
    exists: bool


class Places:
    """Resolves the paths of calls, and asks for permission if they lead outside.

    Args:
        threads: run the file system calls.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    def find(self, call: Call, path: str, field: str, free: Sequence[str] = ()) -> ToolPath:
        """Resolve a path; return once the call has permission to use it.

        Args:
            call: the running call.
            path: absolute, or relative to the session's directory.
            field: the argument that contains `path`.
            free: folders outside that need no permission.

        Raises:
            ToolFailed: the path cannot be used.
            CallRefused: it leads outside, and this is not allowed.
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
        """Resolve a path, without permission to use it.

        Raises:
            OSError, ValueError: the path cannot be used.
        """
        return self._threads.run(_place, call.directory, path)


def outside(place: ToolPath) -> Need:
    """Return the permission that a place outside the session's directory needs."""
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
