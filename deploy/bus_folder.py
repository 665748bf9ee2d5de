"""The folder for the sockets of a deployment: in the state folder, however long its path."""

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
    """A folder for Unix sockets.

    Attributes:
        path: of the folder, short enough for sockets.
        fds: descriptors that a process must inherit if it uses this path.
    """

    path: Path
    fds: tuple[int, ...] = ()


@contextlib.contextmanager
def bus_folder(state: Path) -> Iterator[BusFolder]:
    """Yield a folder for sockets: in the state folder if possible, else a temporary folder.

    Raises:
        BadFlag: no folder accepts sockets.
        FolderUnusable: the folder in the state folder cannot be used.
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
    """Return whether the path of a socket in this folder is short enough."""
    try:
        str(folder).encode()  # ZeroMQ only accepts UTF-8
        Endpoints.parse(f"ipc://{folder}")
    except (InvalidEndpoint, UnicodeEncodeError):
        return False
    return True


def _by_descriptor(opened: int) -> BusFolder:
    """Name a folder by a descriptor that is open in all processes of the deployment (Linux)."""
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
                continue  # this folder does not exist
            path = Path(stack.enter_context(made))
            if _is_short(path) and _refusal(path) is None:
                yield BusFolder(path)
                return
    raise BadFlag(
        f"--state: no socket can be made in {str(folder)!r} ({refusal}), nor in a temporary "
        "folder; choose a folder on another file system, or set TMPDIR"
    )


def _refusal(folder: Path) -> str | None:
    """Return why no socket can be made in a folder, None if one can be made."""
    probe = folder / _PROBE
    try:
        probe.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.bind(str(probe))
        probe.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return None
