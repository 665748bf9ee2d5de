"""Finds a folder for the Unix sockets through which the processes of one `weir up` communicate.

The folder is `bus` in the state folder. The path of a Unix socket is limited to about 100 bytes.
If the path of the folder is too long, the folder is named by an open file descriptor instead.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from bus.process.flags import BadFlag
from bus.process.folder import make_private
from bus.transport.endpoints import Endpoints, InvalidEndpoint

_NAME = "bus"
_PROBE = "probe"


class BusFolder(Struct, frozen=True):
    """A folder in which Unix sockets can be made.

    Attributes:
        path: the path of the folder, which is short enough for sockets.
        fds: the file descriptors that a process must inherit, so that the path is valid in it.
    """

    path: Path
    fds: tuple[int, ...] = ()


@contextlib.contextmanager
def bus_folder(state: Path) -> Iterator[BusFolder]:
    """Yield a folder for sockets: in the state folder if possible, otherwise a temporary folder.

    Raises:
        BadFlag: no socket can be made in any of these folders.
        FolderUnusable: the folder `bus` in the state folder cannot be made, or is not private.
    """
    folder = state / _NAME
    make_private(folder, "--state")
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        short = BusFolder(folder) if _is_short(folder) else _by_descriptor(opened)
        refusal = _refusal(short.path)
        if refusal is None:
            yield short
            return
        with _temporary(refusal, folder) as elsewhere:
            yield elsewhere
    finally:
        os.close(opened)


def _is_short(folder: Path) -> bool:
    """Return whether sockets in this folder have a path that is short enough, and valid UTF-8."""
    try:
        str(folder).encode()  # raises an error if the path is not UTF-8, which ZeroMQ needs
        Endpoints.parse(f"ipc://{folder}")
    except (InvalidEndpoint, UnicodeEncodeError):
        return False
    return True


def _by_descriptor(opened: int) -> BusFolder:
    """Return a short path for a folder: `/proc/self/fd/N`, for an open descriptor N (Linux).

    All processes of the deployment inherit the descriptor, so the path is valid in each of them.
    """
    return BusFolder(Path(f"/proc/self/fd/{opened}"), (opened,))


@contextlib.contextmanager
def _temporary(refusal: str, folder: Path) -> Iterator[BusFolder]:
    with contextlib.ExitStack() as stack:
        for base in (os.environ.get("XDG_RUNTIME_DIR"), None):
            try:
                made = tempfile.TemporaryDirectory(
                    prefix="weir-", dir=base or None, ignore_cleanup_errors=True
                )
            except OSError:
                continue  # the folder `base` does not exist, or cannot be written
            path = Path(stack.enter_context(made))
            if _is_short(path) and _refusal(path) is None:
                yield BusFolder(path)
                return
    raise BadFlag(
        f"--state: no socket can be made in {str(folder)!r} ({refusal}), nor in a temporary "
        "folder; choose a folder on another file system, or set TMPDIR"
    )


def _refusal(folder: Path) -> str | None:
    """Try to make a socket in a folder; return why that fails, None if it succeeds."""
    probe = folder / _PROBE
    try:
        probe.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.bind(str(probe))
        probe.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return None
