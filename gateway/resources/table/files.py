"""The routes that list, read and search the files of a directory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bus.commands import Files
from gateway.resources.route import Query, Route

_PATH = Query("path", "A path in the directory; an absolute path must lead there.")
_OBJECTS = list[dict[str, Any]]


ROUTES: Sequence[Route] = (
    Route(
        method="GET",
        path="/file",
        words="The files of a folder.",
        command=lambda given: Files("list", given.directory, given.query["path"] or ""),
        query=(_PATH,),
        in_directory=True,
        answer=_OBJECTS,
        refusals=(404,),
    ),
    Route(
        method="GET",
        path="/file/content",
        words="What a file holds: text, or an image; at most 1 MiB.",
        command=lambda given: Files("content", given.directory, given.query["path"]),
        query=(Query("path", _PATH.words, required=True),),
        in_directory=True,
        refusals=(404,),
    ),
    Route(
        method="GET",
        path="/file/status",
        words="The files that differ from the last commit of git.",
        command=lambda given: Files("status", given.directory),
        in_directory=True,
        answer=_OBJECTS,
    ),
    Route(
        method="GET",
        path="/find",
        words="The lines that fit a regular expression.",
        command=lambda given: Files("find", given.directory, given.query["pattern"]),
        query=(Query("pattern", "The regular expression, as Python has it.", required=True),),
        in_directory=True,
        answer=_OBJECTS,
        refusals=(404,),
    ),
    Route(
        method="GET",
        path="/find/file",
        words="The files whose path has the characters of a query, the closest first.",
        command=lambda given: Files(
            "find/file",
            given.directory,
            given.query["query"] or "",
            given.query["limit"],
            "file" if given.query["dirs"] == "false" else given.query["type"],
        ),
        query=(
            Query("query", "The characters."),
            Query("dirs", "``false``: no folders.", allowed=("true", "false")),
            Query("type", "Only these.", allowed=("file", "directory")),
            Query("limit", "How many.", "integer", 1, 200),
        ),
        in_directory=True,
        answer=list[str],
        refusals=(404,),
    ),
)
