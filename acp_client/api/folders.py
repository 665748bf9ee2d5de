"""Checks a session's folder: absolute, fit for the server's operating system, and existing."""

from __future__ import annotations

import os
import re

from msgspec import Struct

from acp_client.api.server import Server
from acp_client.protocol.jsonrpc import INVALID_PARAMS, RpcError

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
"""The start of an absolute Windows path: a drive, or the name of a machine."""


class _Paths(Struct):
    """The answer of ``GET /path``."""

    home: str = ""
    directory: str = ""


def folder_of(cwd: str) -> str:
    """Check the folder of a session, and return it.

    Raises:
        RpcError: the path is not absolute on any system.
    """
    if not cwd.startswith("/") and not _OF_WINDOWS.match(cwd):
        raise RpcError(INVALID_PARAMS, f"cwd: {cwd!r} is not an absolute path")
    return cwd


def check_system(folder: str, server: Server) -> None:
    """Check that a folder may exist on the server's operating system.

    Raises:
        RpcError: the path is one of another operating system.
        ServerFailure: the server does not answer.
    """
    if not _OF_WINDOWS.match(folder):
        return
    paths = server.get_or(_Paths(), "/path", _Paths)
    if not _OF_WINDOWS.match(paths.home or paths.directory):
        words = f"cwd: '{folder}' is a Windows path, but the server {server.origin} does not run"
        words += " on Windows; use the folder's path on the server, such as '/home/me/project'"
        raise RpcError(INVALID_PARAMS, words)


def check_exists(folder: str, server: Server) -> None:
    """Check that a folder exists, if the server is on this machine.

    Raises:
        RpcError: the folder does not exist.
    """
    if server.origin.is_local and not _OF_WINDOWS.match(folder) and not os.path.isdir(folder):
        raise RpcError(INVALID_PARAMS, f"cwd: there is no folder {folder!r}")
