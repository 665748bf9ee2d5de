"""The git branch of a directory, read from git's own files."""

from __future__ import annotations

import os
import re
from pathlib import Path

from processor.native.projects import project_of

_MOST_BYTES = 4096
_HEAD = re.compile(r"ref: refs/heads/(\S+)")
_DEFAULT = re.compile(r"ref: refs/remotes/origin/(\S+)")


def branches(directory: str) -> dict[str, str]:
    """Return ``branch`` and ``default_branch`` of a directory, as far as they exist.

    A HEAD that names a commit has no branch.
    """
    project = project_of(directory)
    if not project.is_git:
        return {}
    folder = _git_folder(Path(project.worktree) / ".git")
    found = {}
    if (branch := _HEAD.match(_text(folder / "HEAD"))) is not None:
        found["branch"] = branch[1]
    shared = folder / _text(folder / "commondir").strip()
    if (default := _DEFAULT.match(_text(shared / "refs/remotes/origin/HEAD"))) is not None:
        found["default_branch"] = default[1]
    return found


def _git_folder(place: Path) -> Path:
    """Return the git folder of a work tree; in an added work tree, a file ``.git`` names it."""
    word, _, target = _text(place).partition(":")
    return place.parent / target.strip() if word == "gitdir" else place


def _text(file: Path) -> str:
    """Return the beginning of a file, empty if there is no such file."""
    try:
        number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return ""
    try:
        return os.read(number, _MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(number)
