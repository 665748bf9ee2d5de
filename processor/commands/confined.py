"""Reads a file that must lie in a directory, after symlinks are resolved."""

from __future__ import annotations

import os
import stat
from urllib.parse import unquote, urlsplit

_OPENED = "/proc/self/fd"  # if the system has it


class UnusablePath(Exception):
    """A file in a prompt cannot be used; the message gives the reason."""


def read_in(directory: str, url: str, most: int | None) -> bytes | UnusablePath | None:
    """Return the content of a ``file:`` URL; None for a folder, and if `most` is None.

    Runs in a thread, where gevent would print a raised exception, so an error is returned.

    Args:
        directory: must contain the file.
        url: of the file.
        most: how many bytes the file may have; None: do not read it.
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
    """Return the resolved path. A path outside of the directory is refused before it is opened."""
    root, real = os.path.realpath(directory), os.path.realpath(path)
    if os.path.commonpath([root, real]) != root:
        raise UnusablePath(f"{path!r} is outside of the session's directory {directory!r}")
    return real


def _read(path: str, real: str, most: int | None) -> bytes | None:
    # Do not wait for a pipe, and do not follow a link that was made after the check.
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
