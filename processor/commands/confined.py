"""Reads files and folders, but only those inside of a directory after symlinks are resolved."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from bus.process.start_folder import as_text

T = TypeVar("T")

_OPENED = "/proc/self/fd"  # Linux: shows the real path of an open file


class UnusablePath(Exception):
    """A path that a client has given cannot be used; the message says why.

    Attributes:
        is_missing: the reason is that no such file exists.
    """

    def __init__(self, message: str, is_missing: bool = False) -> None:
        super().__init__(message)
        self.is_missing = is_missing


def read_in(directory: str, url: str, most: int | None) -> bytes | UnusablePath | None:
    """Return the content of a ``file:`` URL; None for a folder, and if `most` is None.

    An `UnusablePath` is returned and not raised: this function runs in a thread, and gevent prints
    errors that a thread raises.

    Args:
        directory: the directory in which the file must lie.
        url: the ``file:`` URL.
        most: how many bytes the file may have; None: only check the path.
    """
    return _answered(url, lambda path: _read(path, _resolved(directory, path), most))


def names_in(directory: str, url: str, most: int) -> list[tuple[str, bool]] | UnusablePath:
    """Return (name, is a folder) for each entry of the folder that a ``file:`` URL names.

    An `UnusablePath` is returned and not raised, as by `read_in`.

    Args:
        directory: the directory in which the folder must lie; may be the folder itself.
        url: the ``file:`` URL of the folder.
        most: how many entries are returned at most.
    """
    return _answered(url, lambda path: _names(path, _resolved(directory, path), most))


def _answered(url: str, job: Callable[[str], T]) -> T | UnusablePath:
    """Return the result of `job` for the path in `url`, or its error as an `UnusablePath`."""
    try:
        return job(_path(url))
    except UnusablePath as error:
        return error
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        return UnusablePath(f"{url!r} cannot be read: {words}", missing)


def _path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise UnusablePath(f"{url!r} names the host {parts.netloc!r}; allowed is file:///PATH")
    path = unquote(parts.path, errors="surrogateescape")
    if not path.startswith("/"):
        raise UnusablePath(f"{url!r} has no absolute path; allowed is file:///PATH")
    return path


def _resolved(directory: str, path: str) -> str:
    """Return `path` without symlinks and ``..``; raise `UnusablePath` outside of `directory`."""
    root, real = os.path.realpath(directory), os.path.realpath(path)
    if os.path.commonpath([root, real]) != root:
        raise UnusablePath(f"{path!r} is outside of the session's directory {directory!r}")
    return real


@contextlib.contextmanager
def _opened(path: str, real: str) -> Iterator[tuple[int, int]]:
    """Open the file at the resolved path `real`; yield its descriptor and its mode."""
    # O_NONBLOCK: do not wait for the writer of a pipe. O_NOFOLLOW: do not follow a symlink that
    # was made after `real` was resolved.
    number = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(number).st_mode
        if os.path.exists(_OPENED) and os.readlink(f"{_OPENED}/{number}") != real:
            raise UnusablePath(f"{path!r} was moved while it was read")
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise UnusablePath(f"{path!r} is not a regular file")
        yield number, mode
    finally:
        os.close(number)


def _read(path: str, real: str, most: int | None) -> bytes | None:
    with _opened(path, real) as (number, mode):
        if most is None or stat.S_ISDIR(mode):
            return None
        with open(number, "rb", closefd=False) as file:
            data = file.read(most + 1)
    if len(data) > most:
        raise UnusablePath(f"{path!r} has more than {most} bytes")
    return data


def _names(path: str, real: str, most: int) -> list[tuple[str, bool]]:
    with _opened(path, real) as (number, mode):
        if not stat.S_ISDIR(mode):
            raise UnusablePath(f"{path!r} is not a folder")
        with os.scandir(number) as entries:
            return [(as_text(one.name), one.is_dir()) for one in itertools.islice(entries, most)]
