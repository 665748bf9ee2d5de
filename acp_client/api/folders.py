"""Checks the folder of a session: absolute, of the server's operating system, and existing."""

from __future__ import annotations

import os
import re

from msgspec import Struct

from acp_client.api.server import Server
from acp_client.protocol.jsonrpc import INVALID_PARAMS, RpcError

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
"""How an absolute path of Windows begins: with a drive, or as the share of a machine."""


class _Paths(Struct):
    """``GET /path``."""

    home: str = ""
    directory: str = ""


def folder_of(cwd: str) -> str:
    """Return the folder of a session.

    Raises:
        RpcError: it is not absolute on any system.
    """
    if not cwd.startswith("/") and not _OF_WINDOWS.match(cwd):
        raise RpcError(INVALID_PARAMS, f"cwd: {cwd!r} is not an absolute path")
    return cwd


def check_system(folder: str, server: Server) -> None:
    """Check that a folder can be one of the server's.

    Raises:
        RpcError: it is a folder of another operating system.
        ServerFailure: the server cannot be asked.
    """
    if not _OF_WINDOWS.match(folder):
        return
    paths = server.get_or(_Paths(), "/path", _Paths)
    if not _OF_WINDOWS.match(paths.home or paths.directory):
        words = f"cwd: '{folder}' is a folder of Windows, and the server {server.origin} is not"
        words += " on Windows; open the folder by its name there, such as '/home/me/project'"
        raise RpcError(INVALID_PARAMS, words)


def check_exists(folder: str, server: Server) -> None:
    """Check that a folder is there, where that can be seen: the server is on this machine.

    Raises:
        RpcError: it is not.
    """
    if server.origin.is_local and not _OF_WINDOWS.match(folder) and not os.path.isdir(folder):
        raise RpcError(INVALID_PARAMS, f"cwd: there is no folder {folder!r}")
