"""The content of files that tools change: read as a whole, and replaced in one step.

These functions block: call them in a thread.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator

from gevent.lock import BoundedSemaphore

from processor.tools.nofollow import folder_of, open_file, refuse_odd
from processor.tools.place import ToolPath
from processor.tools.read import SAMPLE_BYTES, is_binary
from processor.tools.tool import Call, ToolFailed

MOST_BYTES = 8 * 1024 * 1024
_BOM = "\ufeff"
# Possible reasons: the folder is not writable, the file is a mount point. Then the file may still
# be writable in place.
_NO_EXCHANGE = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV, errno.EROFS, errno.ENOTSUP)


class FileLocks:
    """One lock for each file, so that two calls of a model do not change a file at once."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[BoundedSemaphore, list[None]]] = {}

    @contextlib.contextmanager
    def held(self, real: str, call: Call) -> Iterator[None]:
        """Hold the lock of a file.

        The call with the lock may wait long for a person, so the time does not count.
        """
        lock, users = self._locks.setdefault(real, (BoundedSemaphore(1), []))
        users.append(None)
        try:
            with call.waiting():
                lock.acquire()
            try:
                yield
            finally:
                lock.release()
        finally:
            users.pop()
            if not users:
                del self._locks[real]


def content(place: ToolPath) -> bytes | None:
    """Return the content of a text file; None if the file does not exist.

    Raises:
        ToolFailed: it is a folder, a device, a binary file, or too long.
        OSError: it cannot be read.
    """
    if not place.exists:
        return None
    if place.is_folder:
        raise ToolFailed(f"filePath: {place.real} is a folder, not a file")
    with open(open_file(place.real), "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ToolFailed(
            f"filePath: {place.real} has more than {MOST_BYTES} bytes; use bash to change it"
        )
    if is_binary(data[:SAMPLE_BYTES]):
        raise ToolFailed(f"filePath: {place.real} is a binary file; use bash to change it")
    return data


def as_text(data: bytes) -> tuple[str, str]:
    """Return the byte order mark of a file, if it has one, and its text.

    Bytes that are not UTF-8 become lone surrogates in the text; `as_bytes` turns them back.
    """
    text = data.decode(errors="surrogateescape")
    return (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)


def as_bytes(text: str) -> bytes:
    """Return the bytes of a text for writing to a file."""
    return text.encode(errors="surrogateescape")


def printable(text: str) -> str:
    """Return a text that JSON can contain."""
    return text.encode(errors="replace").decode()


def write(real: str, expected: bytes | None, data: bytes) -> None:
    """Write a file, and create missing folders.

    Args:
        real: the path of the file.
        expected: its present content; None if it does not exist.
        data: its new content.

    Raises:
        ToolFailed: the file's content is not `expected`.
        OSError: it cannot be written.
    """
    with folder_of(real, make=True) as (folder, name):
        found = _found(folder, name, real)
        if _differs(real, found, expected):
            raise ToolFailed(
                f"filePath: {real} has changed while the permission was asked for; read it again"
            )
        # With a new file in its place, a hard link would keep the old content, and another owner
        # would lose the file.
        if found is None or (found.st_nlink == 1 and found.st_uid == os.geteuid()):
            try:
                _exchange(folder, name, data, found)
            except OSError as error:
                if found is None or error.errno not in _NO_EXCHANGE:
                    raise
            else:
                return
        number = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        with open(number, "wb") as file:
            file.write(data)
            file.truncate()


def _differs(real: str, found: os.stat_result | None, expected: bytes | None) -> bool:
    if found is None or expected is None:
        return found is not None or expected is not None
    with open(open_file(real), "rb") as file:
        return file.read(len(expected) + 1) != expected


def _found(folder: int, name: str, real: str) -> os.stat_result | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    refuse_odd(found, real)
    return found


def _exchange(folder: int, name: str, data: bytes, found: os.stat_result | None) -> None:
    """Write a new file and rename it: after a kill in between, the file has its old content."""
    fresh = f".weir-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    number = os.open(fresh, flags, 0o666, dir_fd=folder)
    try:
        with open(number, "wb") as file:
            file.write(data)
            if found is not None:
                os.fchmod(number, found.st_mode & 0o7777)
        os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh, dir_fd=folder)
        raise
