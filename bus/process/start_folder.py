"""The folders that a process gets from its environment: the start folder and the user's home."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path


def start_folder(environ: Mapping[str, str]) -> str:
    """Return the folder for requests and sessions that name no folder.

    If the folder was deleted, as a git worktree may be, the shell's name for it is returned.
    """
    return as_text(start_path(environ))


def start_path(environ: Mapping[str, str]) -> str:
    """Return the start folder as the system names it, for the environment of child processes."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        named = environ.get("PWD", "")
        return named if os.path.isabs(named) else "/"


def leave_deleted_folder() -> None:
    """Change to ``/`` if the working folder was deleted: libraries need a working folder."""
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")


def home_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the user's home; None if there is neither ``HOME`` nor an entry in ``passwd``."""
    named = environ.get("HOME", "")
    if os.path.isabs(named):
        return Path(named)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def as_text(path: str) -> str:
    r"""Return a path for JSON and headers: ``\xff`` replaces each byte that is not UTF-8."""
    return os.fsencode(path).decode(errors="backslashreplace")
