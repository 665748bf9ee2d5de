"""Finds the project of a directory: the git work tree around it."""

from __future__ import annotations

import functools
import hashlib
import os

from msgspec import Struct

GLOBAL = "global"


class Project(Struct, frozen=True):
    """A work tree, or `GLOBAL` for everything outside of work trees."""

    id: str
    worktree: str

    @property
    def is_git(self) -> bool:
        """Whether it is a git work tree."""
        return self.id != GLOBAL


@functools.lru_cache(maxsize=1024)
def project_of(directory: str) -> Project:
    """Return the project of a directory; a directory always has the same project id."""
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
        return False  # no path can have this name
