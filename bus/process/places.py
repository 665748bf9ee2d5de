"""The folders that the environment gives a process: where it was started, and the user's home."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path


def start_folder(environ: Mapping[str, str]) -> str:
    """Return the folder of requests and sessions that name none.

    A folder that was deleted, as a git worktree is, goes by the name that the shell gave it.
    """
    return as_text(start_path(environ))


def start_path(environ: Mapping[str, str]) -> str:
    """Return the same folder as a path, for the environment of other processes."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        named = environ.get("PWD", "")
        return named if os.path.isabs(named) else "/"


def leave_deleted_folder() -> None:
    """Go to ``/`` if the working folder was deleted: libraries ask where they are."""
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")


def home_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the user's home; None without ``HOME`` and without an entry in ``passwd``."""
    named = environ.get("HOME", "")
    if os.path.isabs(named):
        return Path(named)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def as_text(path: str) -> str:
    r"""Return a path as JSON and headers can hold it: ``\xff`` in place of what is not UTF-8."""
    return os.fsencode(path).decode(errors="backslashreplace")
