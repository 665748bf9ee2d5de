"""Reads a file that must lie in a directory, also once symlinks are resolved."""

from __future__ import annotations

import os
import stat
from urllib.parse import unquote, urlsplit

_OPENED = "/proc/self/fd"  # where the system has it


class UnusablePath(Exception):
    """A file that is given with a prompt cannot be used; the message says why."""


def read_in(directory: str, url: str, most: int | None) -> bytes | UnusablePath | None:
    """Return what a ``file:`` URL names; None for a folder, and if nothing is wanted.

    It runs in a thread, where gevent prints what is raised: so it returns what is wrong.

    Args:
        directory: where the file must lie.
        url: names the file.
        most: bytes the file may have; None if it is not to be read.
    """
    try:
        path = _path(url)
        return _read(path, _resolved(directory, path), most)
    except UnusablePath as error:
        return error
    except (OSError, ValueError) as error:
        return UnusablePath(f"{url!r} cannot be read: {getattr(error, 'strerror', None) or error}")


def _path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise UnusablePath(f"{url!r} names the host {parts.netloc!r}; allowed is file:///PATH")
    path = unquote(parts.path, errors="surrogateescape")
    if not path.startswith("/"):
        raise UnusablePath(f"{url!r} has no absolute path; allowed is file:///PATH")
    return path


def _resolved(directory: str, path: str) -> str:
    """Return the true name of a path. What lies outside is refused before it is looked at."""
    root, real = os.path.realpath(directory), os.path.realpath(path)
    if os.path.commonpath([root, real]) != root:
        raise UnusablePath(f"{path!r} is outside of the session's directory {directory!r}")
    return real


def _read(path: str, real: str, most: int | None) -> bytes | None:
    # A pipe must not be waited for, and a link that has just been made must not be followed.
    number = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(number).st_mode
        if os.path.exists(_OPENED) and os.readlink(f"{_OPENED}/{number}") != real:
            raise UnusablePath(f"{path!r} was moved while it was read")
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise UnusablePath(f"{path!r} is not a regular file")
        if most is None or stat.S_ISDIR(mode):
            return None
        with open(number, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(number)
    if len(data) > most:
        raise UnusablePath(f"{path!r} has more than {most} bytes")
    return data
