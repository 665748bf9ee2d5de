"""Reads and replaces whole files for the tools `edit` and `write`.

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
# The errors after which a file is overwritten in place, since it cannot be replaced by a new file:
# for example the folder is not writable, or the file is a mount point.
_NO_EXCHANGE = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV, errno.EROFS, errno.ENOTSUP)


class FileLocks:
    """One lock for each file, so that two tool calls do not change a file at the same time."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[BoundedSemaphore, list[None]]] = {}

    @contextlib.contextmanager
    def held(self, real: str, call: Call) -> Iterator[None]:
        """Hold the lock of a file in the ``with`` block.

        The time spent waiting for the lock does not count for the call's time limit, since the
        call that has the lock may wait for a person.
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
        ToolFailed: the path is a folder, or the file is binary or too long.
        OSError: the file cannot be read, or is a device.
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
    """Return a file's byte order mark (empty if there is none), and the rest of its text.

    Bytes that are not UTF-8 become lone surrogates in the text; `as_bytes` restores the bytes.
    """
    text = data.decode(errors="surrogateescape")
    return (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)


def as_bytes(text: str) -> bytes:
    """Return the bytes to write for a text; the reverse of `as_text`."""
    return text.encode(errors="surrogateescape")


def printable(text: str) -> str:
    """Return a text with ``?`` in place of lone surrogates, which JSON cannot contain."""
    return text.encode(errors="replace").decode()


def write(real: str, expected: bytes | None, data: bytes) -> None:
    """Write a file, and create missing folders.

    Args:
        real: the absolute path of the file, without links.
        expected: the content that the file must still have; None: the file must not exist.
        data: the new content.

    Raises:
        ToolFailed: the file has another content than `expected`.
        OSError: the file cannot be written.
    """
    with folder_of(real, make=True) as (folder, name):
        found = _found(folder, name, real)
        if _differs(real, found, expected):
            raise ToolFailed(
                f"filePath: {real} has changed while the permission was asked for; read it again"
            )
        # Replace the file by a new one only if this changes nothing else: other hard links would
        # keep the old content, and a file of another user would change its owner.
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
    """Write a new file and rename it, so that a kill in between leaves the old file as it is."""
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
