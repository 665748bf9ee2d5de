"""Lists, reads and searches the files of a directory for clients; shows what git finds changed.

A path is refused if it lies outside of the directory after symlinks and ``..`` are resolved.
"""

from __future__ import annotations

import base64
import contextlib
import mimetypes
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from bus.answers import AnswerBody, CommandFailed
from bus.commands import Files
from bus.process.fairness import LOOKUP_SLICE_S, TimeSlice
from processor.commands.confined import UnusablePath, names_in, read_in
from processor.commands.vcs import MOST_CHANGES, changes
from processor.folders import Folders
from processor.tools.searching import SEARCH_S, Searches, SearchResults
from processor.tools.tool import ToolFailed

MOST_BYTES = 1024 * 1024
"""The size limit (bytes) of a file that a client can read."""
_MOST_NAMES = 10_000
_MOST_PATHS = 20_000
_MOST_FOUND = 200
_DEFAULT_FOUND = 100
_RETRY_AFTER_S = 5

_Found = tuple[Any, str | None]
"""The value of an answer, and what it lacks."""


class FileCommands:
    """Executes the command `Files`, by the value of its field `what`.

    Args:
        searches: runs searches in directories.
        folders: reads folders and files.
    """

    def __init__(self, searches: Searches, folders: Folders) -> None:
        self._searches = searches
        self._what: dict[str, Callable[[Files], _Found]] = {
            "list": partial(_list, folders),
            "content": partial(_content, folders),
            "status": partial(_status, folders),
            "find": self._find,
            "find/file": self._find_file,
        }

    def __call__(self, c: Files) -> AnswerBody:
        """Return the answer, and what it lacks if there is too much, or the time was over.

        Raises:
            CommandFailed: the path or the pattern cannot be used, or git or a search takes too
                long.
        """
        found, lacks = self._what[c.what](c)
        return AnswerBody(msgspec.json.encode(found), lacks=lacks)

    def _find(self, c: Files) -> _Found:
        limit = c.limit or _DEFAULT_FOUND
        with _refusing(c.directory):
            found, lacks = _in_time(self._searches.lines(c.directory, c.text, limit=limit))
        if found.has_more:
            lacks = f"there are more than these {limit} lines"
        return [_match(one) for one in found.results], lacks

    def _find_file(self, c: Files) -> _Found:
        with _refusing(c.directory):
            found, lacks = _in_time(self._searches.files(c.directory, "**/*", _MOST_PATHS))
        if found.has_more:
            lacks = f"only the first {_MOST_PATHS} files were compared"
        paths = [one["path"] for one in found.results]
        if c.kind != "file":
            paths += [f"{folder}/" for folder in _folders(paths)]
        if c.kind == "directory":
            paths = [path for path in paths if path.endswith("/")]
        return _best(paths, c.text, min(c.limit or _DEFAULT_FOUND, _MOST_FOUND)), lacks


@contextlib.contextmanager
def _refusing(directory: str) -> Iterator[None]:
    """Convert a `ToolFailed` of a search into an error that names the pattern or the directory."""
    try:
        yield
    except ToolFailed as error:
        if str(error).startswith("pattern"):
            raise CommandFailed("invalid", str(error), field="pattern") from error
        message = f"directory: {directory!r} cannot be searched: {error}"
        raise CommandFailed("not_found", message, field="directory") from error


def _in_time(found: SearchResults) -> tuple[SearchResults, str | None]:
    """Return a search's results; say so if the search has reached its time limit.

    Raises:
        CommandFailed: the search reached its time limit without any result.
    """
    if not found.timed_out:
        return found, None
    lacks = "not all files were searched"
    if not found.results:
        message = f"nothing was found within {SEARCH_S:g} s, and {lacks}"
        raise CommandFailed("unavailable", message, retry_after_s=_RETRY_AFTER_S)
    return found, f"{lacks} within {SEARCH_S:g} s"


def _status(folders: Folders, c: Files) -> _Found:
    found = changes(c.directory, folders.project(c.directory))
    lacks = (
        f"there are more than these {MOST_CHANGES} files" if len(found) > MOST_CHANGES else None
    )
    return found[:MOST_CHANGES], lacks


def _list(folders: Folders, c: Files) -> _Found:
    found = _in_thread(folders, c, names_in, c.directory, _url(c), _MOST_NAMES + 1)
    lacks = f"the folder has more than {_MOST_NAMES} files" if len(found) > _MOST_NAMES else None
    del found[_MOST_NAMES:]
    nodes = []
    for name, is_folder in sorted(found, key=lambda one: (not one[1], one[0])):
        path = os.path.normpath(os.path.join(c.text, name)) + ("/" if is_folder else "")
        nodes.append(
            {
                "name": name,
                "path": path,
                "absolute": os.path.normpath(os.path.join(c.directory, c.text, name)),
                "type": "directory" if is_folder else "file",
                "ignored": False,
            }
        )
    return nodes, lacks


def _content(folders: Folders, c: Files) -> _Found:
    data = _in_thread(folders, c, read_in, c.directory, _url(c), MOST_BYTES)
    if data is None:
        raise CommandFailed("invalid", f"path: {c.text!r} is a folder", field="path")
    kind = mimetypes.guess_type(c.text)[0] or ""
    if kind.startswith("image/") and kind != "image/svg+xml":
        content = base64.b64encode(data).decode()
        found = {"type": "binary", "content": content, "encoding": "base64", "mimeType": kind}
        return found, None
    try:
        if b"\0" not in data:
            return {"type": "text", "content": data.decode()}, None
    except UnicodeDecodeError:
        pass
    return {"type": "binary", "content": ""} | ({"mimeType": kind} if kind else {}), None


def _url(c: Files) -> str:
    try:
        return Path(c.directory, c.text).as_uri()
    except ValueError as error:
        raise CommandFailed("invalid", f"path: {c.text!r}: {error}", field="path") from error


def _in_thread(folders: Folders, c: Files, job: Callable[..., Any], *args: Any) -> Any:
    found = folders.run(c.directory, job, *args)
    if isinstance(found, UnusablePath):
        kind = "not_found" if found.is_missing else "invalid"
        raise CommandFailed(kind, f"path: {found}", field="path")  # type: ignore[arg-type]
    return found


def _match(found: dict[str, Any]) -> dict[str, Any]:
    """Return a found line in the JSON form of ripgrep, which counts positions in bytes."""
    text = found["text"]

    def place(at: int) -> int:
        return len(text[:at].encode("utf-8", "replace"))

    return {
        "path": {"text": found["path"]},
        "lines": {"text": f"{text}\n"},
        "line_number": found["line"],
        "absolute_offset": found["offset"],
        "submatches": [
            {"match": {"text": text[start:end]}, "start": place(start), "end": place(end)}
            for start, end in found["spans"]
        ],
    }


def _folders(paths: Iterable[str]) -> list[str]:
    """Return all folders that contain any of the paths, directly or not, in order."""
    found: dict[str, None] = {}
    for path in paths:
        folder = os.path.dirname(path)
        while folder and folder not in found:
            found[folder] = None
            folder = os.path.dirname(folder)
    return sorted(found)


def _best(paths: Iterable[str], query: str, limit: int) -> list[str]:
    """Return the best `limit` paths that have all characters of `query` in this order."""
    wanted, turn = query.lower(), TimeSlice(LOOKUP_SLICE_S)
    ranked = []
    for path in paths:
        turn.pass_on_if_over()
        if (rank := _rank(path.lower(), wanted)) is not None:
            ranked.append((rank, len(path), path))
    return [path for *_, path in sorted(ranked)[:limit]]


def _rank(path: str, wanted: str) -> int | None:
    """Return how badly a path matches a query: from 0 (best) to 3; None: no match."""
    name = os.path.basename(path.rstrip("/"))
    if name.startswith(wanted):
        return 0
    if wanted in name:
        return 1
    if wanted in path:
        return 2
    left = iter(path)
    return 3 if all(letter in left for letter in wanted) else None
