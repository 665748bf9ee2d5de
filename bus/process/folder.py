"""A folder that only one process uses, and that only its owner can read.

State and bus folders contain conversations, and sockets that take commands. If another user owns a
folder or may write into it, that user can replace the folder while the process uses it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from bus.process.entry import CannotStart

LOCK_NAME = "lock"
# The files that weir keeps in its state and bus folders. All other files there belong to the user.
_KEPT = (
    "weir.db*",
    "up-*.json",
    "watchdog.ndjson*",
    "audit.ndjson*",
    "tokens.json",
    "*lock",
    "bus",
)
_ROOT = 0


class FolderInUse(CannotStart):
    """Another process uses the folder."""


class FolderUnusable(CannotStart):
    """The folder cannot be made, written to, locked or trusted."""


@contextlib.contextmanager
def claimed(folder: Path, flag: str, user: str, lock: str = LOCK_NAME) -> Iterator[Path]:
    """Create `folder` for its owner alone if it is missing, and lock it for the block.

    The lock is an flock: it ends with the process, however the process ends.

    Args:
        folder: the folder to lock.
        flag: the flag that gave the folder, for the message of an error.
        user: describes the holder of the lock, for the message of an error.
        lock: name of the file that is locked.

    Raises:
        FolderInUse: another process has locked the folder.
        FolderUnusable: the folder cannot be used, or is not safe.
    """
    make_private(folder, flag)
    try:
        held = os.open(folder / lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unusable(folder, flag, error) from error
    try:
        _hold(held, folder, flag, user)
        yield folder
    finally:
        os.close(held)


def make_private(folder: Path, flag: str) -> None:
    """Create `folder` if it is missing; take all rights of other users on it and weir's files.

    Args:
        folder: the folder to create.
        flag: the flag that gave the folder, for the message of an error.

    Raises:
        FolderUnusable: the folder cannot be used, or is not safe.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check(folder, flag)
        for path in (folder, *(file for name in _KEPT for file in folder.glob(name))):
            _close_to_others(path)
    except OSError as error:
        raise _unusable(folder, flag, error) from error


def check_owner(folder: Path, flag: str) -> None:
    """Refuse a folder that another user owns or may write into; a missing folder passes.

    Raises:
        FolderUnusable: another user owns it or may write into it, or it cannot be inspected.
    """
    try:
        _check(folder, flag)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(folder, flag, error) from error


def _check(folder: Path, flag: str) -> None:
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid not in (os.geteuid(), _ROOT):
        raise FolderUnusable(
            f"{flag}: {str(folder)!r} belongs to another user (uid {found.st_uid}); "
            "run weir as that user, or choose a folder of your own"
        )
    if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and found.st_uid != os.geteuid()):
        raise FolderUnusable(
            f"{flag}: other users may write into {str(folder)!r} (its mode is {mode:04o}); "
            f"remove that right with chmod 700, or choose another folder, such as "
            f"{str(folder / 'weir')!r}"
        )
    if mode & stat.S_IWGRP:
        _close_to_group(folder, flag)


def _close_to_group(folder: Path, flag: str) -> None:
    """Remove the group's rights on a folder that this user made with a umask of 002.

    Raises:
        FolderUnusable: the folder contains a file of another user.
    """
    folder.chmod(0o700)
    for path in folder.iterdir():
        if (owner := path.lstat().st_uid) not in (os.geteuid(), _ROOT):
            raise FolderUnusable(
                f"{flag}: {str(path)!r} belongs to another user (uid {owner}); "
                "remove it, or choose another folder"
            )


def _close_to_others(path: Path) -> None:
    # A symbolic link may be broken, and some file systems (exFAT) have no modes.
    with contextlib.suppress(FileNotFoundError, PermissionError):
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid == os.geteuid() and mode & 0o077:
            path.chmod(mode & 0o700)


def _unusable(folder: Path, flag: str, error: OSError) -> FolderUnusable:
    reason = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror
    return FolderUnusable(f"{flag}: {str(error.filename or folder)!r} cannot be used: {reason}")


def _hold(held: int, folder: Path, flag: str, user: str) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(held, 32).decode(errors="replace").strip()
        who = f"another {user} (pid {pid})" if pid else f"another {user}"
        raise FolderInUse(
            f"{flag}: {str(folder)!r} is in use by {who}; stop that process, or choose another "
            "folder"
        ) from None
    except OSError as error:
        raise FolderUnusable(
            f"{flag}: {str(folder)!r} is on a file system without locks ({error.strerror}); "
            "choose a folder on another file system"
        ) from error
    try:
        os.ftruncate(held, 0)
        os.pwrite(held, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise FolderUnusable(
                f"{flag}: {str(folder)!r} cannot be written: {error.strerror}"
            ) from error
        # A full disk is no reason to stop: the pid is only needed for the message above.
