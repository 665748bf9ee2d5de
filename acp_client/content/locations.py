"""The files that a tool call works on, so that the editor can follow them."""

from __future__ import annotations

import posixpath
from typing import Any

from msgspec import UNSET

from acp_client.protocol.updates import Location
from acp_client.protocol.wire import ToolState

_NAMES = ("filePath", "filepath", "path", "file")


def absolute(path: str, directory: str) -> str:
    """Return an absolute path; a relative path begins at the session's folder `directory`."""
    if posixpath.isabs(path) or path[1:3] in (":\\", ":/"):
        return path
    return posixpath.normpath(posixpath.join(directory, path))


def locations_of(state: ToolState, directory: str) -> list[Location]:
    """Return the files that a tool call names in its arguments or in its metadata."""
    files = state.noted("files")
    listed = files if isinstance(files, list) else []
    paths = [state.given(name) for name in _NAMES]
    paths += [file.get("filePath") if isinstance(file, dict) else file for file in listed]
    named = dict.fromkeys(absolute(path, directory) for path in paths if _is_path(path))
    line = state.given("offset")
    at = int(line) + 1 if isinstance(line, (int, float)) and line >= 0 else UNSET
    return [Location(path, at) for path in named]


def _is_path(path: Any) -> bool:
    return isinstance(path, str) and bool(path)
