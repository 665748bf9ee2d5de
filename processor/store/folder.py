"""A folder that one processor alone may use."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from processor.refusal import CannotStart

LOCK_NAME = "lock"


class FolderInUse(CannotStart):
    """Another processor uses the folder."""


class FolderUnusable(CannotStart):
    """The folder cannot be made or written to."""


@contextlib.contextmanager
def claimed(folder: Path, flag: str) -> Iterator[Path]:
    """Make `folder` (for its owner alone) if need be, and hold it until the end of the block.

    The hold is an flock: it ends with the process, however that ends.

    Args:
        folder: the folder to claim.
        flag: the flag it was given by, for the message of an error.

    Raises:
        FolderInUse: somebody else holds it.
        FolderUnusable: it cannot be made, or not written to.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FolderUnusable(f"{flag}: '{folder}': {error.strerror}") from error
    try:
        _hold(lock, folder, flag)
        yield folder
    finally:
        os.close(lock)


def _hold(lock: int, folder: Path, flag: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(lock, 32).decode(errors="replace").strip() or "another"
        raise FolderInUse(
            f"{flag}: '{folder}' is in use by processor {holder}: stop that one, "
            f"or give another folder"
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
