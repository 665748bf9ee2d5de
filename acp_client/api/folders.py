"""Checks the folder (`cwd`) that an editor names for a session.

It must be absolute, be possible on the server's operating system, and exist.
"""

from __future__ import annotations

import os
import re

from msgspec import Struct

from acp_client.api.server import Server
from acp_client.protocol.jsonrpc import INVALID_PARAMS, RpcError

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
"""Matches the start of an absolute Windows path: a drive (``C:``), or a machine's name."""


class _Paths(Struct):
    """The answer to ``GET /path``: folders of the server, which show its operating system."""

    home: str = ""
    directory: str = ""


def folder_of(cwd: str) -> str:
    """Check that the folder of a session is an absolute path, and return it.

    Raises:
        RpcError: the path is absolute neither on Unix nor on Windows.
    """
    if not cwd.startswith("/") and not _OF_WINDOWS.match(cwd):
        words = f"cwd: {cwd!r} is not an absolute path, such as '/home/me/project'"
        raise RpcError(INVALID_PARAMS, words)
    return cwd


def check_system(folder: str, server: Server) -> None:
    """Refuse a Windows path if the server does not run on Windows.

    Raises:
        RpcError: the folder is a Windows path, and the server does not run on Windows.
        ServerFailure: the server cannot be reached.
    """
    if not _OF_WINDOWS.match(folder):
        return
    paths = server.get_or(_Paths(), "/path", _Paths)
    if not _OF_WINDOWS.match(paths.home or paths.directory):
        words = f"cwd: '{folder}' is a Windows path, but the server {server.origin} does not run"
        words += " on Windows; use the folder's path on the server, such as '/home/me/project'"
        raise RpcError(INVALID_PARAMS, words)


def check_exists(folder: str, server: Server) -> None:
    """Check that a folder exists; if the server runs on another machine, do nothing.

    Raises:
        RpcError: the folder does not exist.
    """
    if server.origin.is_local and not _OF_WINDOWS.match(folder) and not os.path.isdir(folder):
        raise RpcError(INVALID_PARAMS, f"cwd: the folder {folder!r} does not exist")
