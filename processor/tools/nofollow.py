"""Opens files without following symbolic links, so that a checked path cannot be redirected.

A tool resolves the links in a path before it checks the path. If a link is put into the path after
the check, these functions fail: they open each folder by its name in the previous folder, and
refuse links.

This module only imports the standard library, since programs that must start quickly use it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

# On Linux, O_PATH opens a folder even if this process may not list the folder's entries.
_SEARCH = getattr(os, "O_PATH", os.O_RDONLY)
_FOLDER = _SEARCH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotARegularFile(OSError):
    """The path is not a regular file but a device, a pipe, a socket, a folder or a link."""


def open_folder(real: str, make: bool = False) -> int:
    """Return a descriptor of a folder, for functions with a parameter ``dir_fd``.

    Args:
        real: an absolute path without links, ``.`` and ``..``.
        make: whether to create missing folders.

    Raises:
        OSError: a component of the path is missing, is a link, or is not a folder.
    """
    folder = os.open("/", _FOLDER)
    for name in filter(None, real.split("/")):
        try:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=folder)
            inner = os.open(name, _FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


@contextlib.contextmanager
def folder_of(real: str, make: bool = False) -> Iterator[tuple[int, str]]:
    """Yield a descriptor of the folder that contains `real`, and the last component of `real`."""
    parent, _, name = real.rstrip("/").rpartition("/")
    folder = open_folder(parent, make)
    try:
        yield folder, name or "."
    finally:
        os.close(folder)


def open_file(real: str) -> int:
    """Open a regular file for reading; return the descriptor.

    A device is never opened, since even that may have an effect. A pipe does not block the call.

    Raises:
        NotARegularFile: the path is a folder, a device, a pipe or a socket.
        OSError: the file cannot be opened, or a component of the path is a link.
    """
    with folder_of(real) as (folder, name):
        refuse_odd(os.stat(name, dir_fd=folder, follow_symlinks=False), real)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        number = os.open(name, flags, dir_fd=folder)
    try:
        refuse_odd(os.fstat(number), real)
    except OSError:
        os.close(number)
        raise
    return number


def refuse_odd(found: os.stat_result, real: str) -> None:
    """Check that a path is a regular file.

    Args:
        found: the status of the path.
        real: the path, for the error message.

    Raises:
        NotARegularFile: the path is something else; the message says what.
    """
    if not stat.S_ISREG(found.st_mode):
        raise NotARegularFile(f"{real} is {_kind(found.st_mode)}, not a regular file")


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a symbolic link that was made just now",
        stat.S_IFIFO: "a pipe (FIFO)",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "of an unknown kind")
