"""Which project a directory belongs to: the git work tree around it."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from msgspec import Struct

GLOBAL = "global"


class Project(Struct, frozen=True):
    """A work tree, or everything outside of one (`GLOBAL`)."""

    id: str
    worktree: str

    @property
    def is_git(self) -> bool:
        """Whether it is a git work tree."""
        return self.id != GLOBAL


@functools.lru_cache(maxsize=1024)
def project_of(directory: str) -> Project:
    """Return the project of a directory; the same directory always has the same id."""
    for folder in (Path(directory), *Path(directory).parents):
        if _is_work_tree(folder):
            return Project(hashlib.sha1(str(folder).encode()).hexdigest(), str(folder))
    return Project(GLOBAL, "/")


def _is_work_tree(folder: Path) -> bool:
    try:
        return (folder / ".git").exists()
    except OSError:
        return False  # a name that is too long, or a folder that must not be looked into
