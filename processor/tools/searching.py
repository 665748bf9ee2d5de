"""The tools `glob` and `grep`, whose searches run in a process of their own each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

import gevent
from msgspec import Meta, Struct

from processor.tools.arguments import decoded, schema
from processor.tools.command import Programs
from processor.tools.place import Places
from processor.tools.tool import Call, Need, Outcome, Tool, ToolFailed

LIMIT = 100
SEARCH_S = 30.0
_GLOB = f"""Finds files by a pattern of their path, such as `**/*.py` or `src/**/*.{{ts,tsx}}`.

- A pattern without a slash is a file name in any folder.
- Files that git ignores are left out. At most {LIMIT} paths are returned."""
_GREP = f"""Finds lines in files by a regular expression (Python's syntax).

- `include` narrows the files, such as `*.py` or `*.{{ts,tsx}}`.
- Binary files and files that git ignores are left out. At most {LIMIT} lines are returned."""
_FOLDER = Meta(description="The folder to search in; the session's directory if absent")


class GlobArguments(Struct, forbid_unknown_fields=True):
    """The arguments that a model gives to the tool `glob`."""

    pattern: Annotated[str, Meta(description="The pattern of the paths")]
    path: Annotated[str | None, _FOLDER] = None


class GrepArguments(Struct, forbid_unknown_fields=True):
    """The arguments that a model gives to the tool `grep`."""

    pattern: Annotated[str, Meta(description="The regular expression")]
    path: Annotated[str | None, Meta(description="A file, or a folder to search in")] = None
    include: Annotated[str | None, Meta(description="A pattern of file names")] = None


class SearchResults(Struct):
    """The results of a search.

    Attributes:
        results: the files or lines that were found.
        has_more: whether results above the limit were left out.
        timed_out: whether the search was ended after `SEARCH_S`, so that results may be missing.
    """

    results: list[dict[str, Any]]
    has_more: bool = False
    timed_out: bool = False


class Searches:
    """Searches files; each search has a process of its own, which can be killed.

    Args:
        programs: runs the processes.
    """

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    def files(self, directory: str, pattern: str, limit: int = LIMIT) -> SearchResults:
        """Return the files below a folder whose path matches a pattern such as ``src/**/*.py``.

        Each result has the key ``path``, relative to the folder.
        """
        return self._found(
            {"kind": "glob", "directory": directory, "pattern": pattern, "limit": limit}
        )

    def lines(
        self,
        directory: str,
        pattern: str,
        include: str | None = None,
        file: str | None = None,
        limit: int = LIMIT,
    ) -> SearchResults:
        """Return the lines in files that match a regular expression.

        Each result has the ``path`` of the file, the number of the ``line``, its ``text``, the
        ``offset`` of the line in the file in bytes, and the ``spans`` of the matches in the text.

        Args:
            directory: the folder to search in.
            pattern: the regular expression, in Python's syntax.
            include: a pattern of paths, to search only some files.
            file: the name of the only file to search; None: all files below the folder.
            limit: how many lines to return at most.

        Raises:
            ToolFailed: `pattern` is not a regular expression.
        """
        request = {"kind": "grep", "directory": directory, "pattern": pattern, "limit": limit}
        return self._found({**request, "include": include, "file": file})

    def _found(self, request: Mapping[str, Any]) -> SearchResults:
        found = SearchResults([], timed_out=True)
        gevent.with_timeout(SEARCH_S, self._collect, request, found, timeout_value=None)
        return found

    def _collect(self, request: Mapping[str, Any], found: SearchResults) -> None:
        for result in self._programs.work(request):
            if "failed" in result:
                raise ToolFailed(result["failed"])
            if "more" in result:
                found.has_more = True
            else:
                found.results.append(result)
        found.timed_out = False


class SearchTools:
    """The tools `glob` and `grep`.

    Args:
        searches: runs the searches.
        places: resolves paths, and asks for permission to leave the session's directory.
    """

    def __init__(self, searches: Searches, places: Places) -> None:
        self._searches = searches
        self._places = places

    def tools(self) -> list[Tool]:
        return [
            Tool("glob", _GLOB, schema(GlobArguments), self.glob),
            Tool("grep", _GREP, schema(GrepArguments), self.grep),
        ]

    def glob(self, arguments: object, call: Call) -> Outcome:
        """Find files by a pattern of their path (the tool `glob`)."""
        wanted = decoded(arguments, GlobArguments, "glob")
        if not wanted.pattern:
            raise ToolFailed("pattern: is empty; give a pattern")
        metadata = {"pattern": wanted.pattern, "path": wanted.path}
        call.need(Need("glob", [wanted.pattern], ["*"], metadata))
        place = self._places.find(call, wanted.path or ".", "path")
        if not place.is_folder:
            raise ToolFailed(f"path: {place.real} is not a folder")
        pattern = wanted.pattern
        if pattern.startswith(f"{place.real}/"):
            pattern = pattern.removeprefix(f"{place.real}/")
        found = self._searches.files(place.real, pattern)
        lines = [os.path.join(place.real, result["path"]) for result in found.results]
        output = "\n".join([*(lines or ["No files found"]), *_more(found, "path or pattern")])
        is_cut = found.has_more or found.timed_out
        return Outcome(output, place.name, {"count": len(lines), "truncated": is_cut})

    def grep(self, arguments: object, call: Call) -> Outcome:
        """Find lines by a regular expression (the tool `grep`)."""
        wanted = decoded(arguments, GrepArguments, "grep")
        if not wanted.pattern:
            raise ToolFailed("pattern: is empty; give a regular expression")
        metadata = {"pattern": wanted.pattern, "path": wanted.path, "include": wanted.include}
        call.need(Need("grep", [wanted.pattern], ["*"], metadata))
        place = self._places.find(call, wanted.path or ".", "path")
        if not place.exists:
            raise ToolFailed(f"path: {place.real} does not exist")
        folder, file = place.real, None
        if not place.is_folder:
            folder, file = os.path.split(place.real)
            call.need(Need("read", [place.name], ["*"]))
        found = self._searches.lines(folder, wanted.pattern, wanted.include, file)
        hidden = [] if file is not None else _without_permission(found, folder, call)
        is_cut = found.has_more or found.timed_out
        said = {"matches": len(found.results), "truncated": is_cut}
        output = "\n".join([_matches(found, folder), *hidden])
        return Outcome(output, wanted.pattern, said)


def _without_permission(found: SearchResults, folder: str, call: Call) -> list[str]:
    """Remove the lines of files that may not be read without asking a person.

    Return a remark for the model that names these files.
    """
    root = os.path.realpath(call.directory)

    @cache
    def is_allowed(path: str) -> bool:
        name = os.path.relpath(os.path.join(folder, path), root)
        return call.allows(Need("read", [name], ["*"]))

    paths = dict.fromkeys(result["path"] for result in found.results)
    found.results = [result for result in found.results if is_allowed(result["path"])]
    hidden = [os.path.join(folder, path) for path in paths if not is_allowed(path)]
    return ["", "These files match too, but need a permission: read them.", *hidden] * bool(hidden)


def _matches(found: SearchResults, folder: str) -> str:
    if not found.results:
        return "\n".join(["No files found", *_more(found, "path or pattern")])
    more = " (more matches available)" if found.has_more else ""
    lines, last = [f"Found {len(found.results)} matches{more}"], ""
    for result in found.results:
        if result["path"] != last:
            lines += [""] if last else []
            last = result["path"]
            lines.append(f"{os.path.join(folder, last)}:")
        lines.append(f"  Line {result['line']}: {result['text']}")
    return "\n".join([*lines, *_more(found, "path or pattern")])


def _more(found: SearchResults, what: str) -> list[str]:
    if found.timed_out:
        return ["", f"(The search was ended after {SEARCH_S:g} s. Give a simpler {what}.)"]
    if found.has_more:
        return ["", f"(Results are truncated: the first {LIMIT}. Give a more specific {what}.)"]
    return []
