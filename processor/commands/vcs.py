"""The git branch of a directory (read from the files in ``.git``), and the files that changed."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gevent import subprocess

from bus.answers import CommandFailed
from bus.process.start_folder import as_text
from processor.native.projects import Project

_MOST_BYTES = 4096
MOST_CHANGES = 10_000
_GIT_S = 10.0
_OF_DIFF = ("--relative", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
_NO_PROGRAMS = {"core.fsmonitor": "false", "core.untrackedCache": "false"}
# With these, git writes nothing, and fetches no objects that a partial clone lacks.
_READ_ONLY = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
_HEAD = re.compile(r"ref: refs/heads/(\S+)")
_DEFAULT = re.compile(r"ref: refs/remotes/origin/(\S+)")


def branches(project: Project) -> dict[str, str]:
    """Return ``branch`` and ``default_branch`` of a project; without one, its key is missing.

    If HEAD names a commit (a detached HEAD), there is no branch.
    """
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


def changes(directory: str, project: Project) -> list[dict[str, Any]]:
    """Return the files that differ from the last commit; an empty list without a git repository.

    If there are more than `MOST_CHANGES`, return one file more than that.

    Raises:
        CommandFailed: git does not answer in time.
    """
    if not project.is_git:
        return []
    found: dict[str, dict[str, Any]] = {}
    safe = _settings(directory)
    for row in _git(directory, safe, "diff", "--numstat", "--no-renames", "-z", "HEAD"):
        added, removed, path = (*row.split("\t", 2), "", "")[:3]
        found[path] = _change(path, added, removed, "modified")
    for path in _git(directory, safe, "diff", "--name-only", "--diff-filter=D", "-z", "HEAD"):
        found[path]["status"] = "deleted"
    for path in _git(directory, safe, "diff", "--name-only", "--diff-filter=A", "-z", "HEAD"):
        found[path]["status"] = "added"
    for path in _git(directory, safe, "ls-files", "--others", "--exclude-standard", "-z"):
        found[path] = _change(path, "0", "0", "added")
    return list(itertools.islice(found.values(), MOST_CHANGES + 1))


def _change(path: str, added: str, removed: str, status: str) -> dict[str, Any]:
    # For binary files, git prints "-" instead of a number of lines.
    lines = [int(count) if count.isdigit() else 0 for count in (added, removed)]
    return {"path": path, "added": lines[0], "removed": lines[1], "status": status}


def _settings(directory: str) -> dict[str, str]:
    """Return git settings that disable all programs which the repository's own settings name."""
    names = _git(directory, {}, "config", "--name-only", "-z", "--get-regexp", "^filter[.]")
    return {**_NO_PROGRAMS, **{name: _off(name) for name in names}}


def _off(name: str) -> str:
    return "false" if name.endswith(".required") else ""


def _numbered(settings: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables with settings for git; names may have any characters."""
    found = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _git(directory: str, settings: Mapping[str, str], *words: str) -> list[str]:
    """Run git, and return what it prints, split at NUL; an empty list if git cannot be started.

    Raises:
        CommandFailed: git does not end in time.
    """
    extra = _OF_DIFF if words[0] == "diff" else ()
    command = ["git", "-C", directory, words[0], *extra, *words[1:]]
    environ = {**os.environ, **_READ_ONLY, **_numbered(settings)}
    try:
        done = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_S,
            check=False,
        )
    except OSError:
        return []
    except subprocess.TimeoutExpired as error:
        message = f"git does not answer within {_GIT_S:g} s in {directory}"
        raise CommandFailed("unavailable", message) from error
    return [as_text(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name]


def _git_folder(place: Path) -> Path:
    """Return the git folder; in a work tree of ``git worktree``, the file ``.git`` names it."""
    word, _, target = _text(place).partition(":")
    return place.parent / target.strip() if word == "gitdir" else place


def _text(file: Path) -> str:
    """Return the beginning of a file; an empty text if the file cannot be read."""
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
