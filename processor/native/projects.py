"""Finds the project of a directory: the git work tree that contains the directory."""

from __future__ import annotations

import hashlib
import os

from msgspec import Struct

GLOBAL = "global"


class Project(Struct, frozen=True):
    """A git work tree. All directories outside of work trees share one project, `GLOBAL`.

    Attributes:
        id: a hash of the work tree's path, or `GLOBAL`.
        worktree: the path of the work tree; ``/`` for `GLOBAL`.
    """

    id: str
    worktree: str

    @property
    def is_git(self) -> bool:
        """Whether the project is a git work tree, not `GLOBAL`."""
        return self.id != GLOBAL


def project_of(directory: str) -> Project:
    """Return the project of a directory; call this in a thread (see `processor.folders`)."""
    folder = directory
    while not _is_work_tree(folder):
        above = os.path.dirname(folder)
        if above == folder:
            return Project(GLOBAL, "/")
        folder = above
    return Project(hashlib.sha1(folder.encode()).hexdigest(), folder)


def _is_work_tree(folder: str) -> bool:
    try:
        return os.path.exists(os.path.join(folder, ".git"))
    except ValueError:
        return False  # no path can have this name: it has a null byte, or cannot be encoded
