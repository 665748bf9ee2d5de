"""Routes for data that clients load at their start: configuration, models, agents, projects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bus.commands import Describe, Directories, Dispose, SessionsV2, What
from gateway.resources.route import Query, RequestContent, Route

_OBJECT, _OBJECTS = dict[str, Any], list[dict[str, Any]]
_MOST_SESSIONS = 10_000
_CONFIGURED = "weir is configured by its flags when it starts"


def _describe(what: What) -> Callable[[RequestContent], Describe]:
    return lambda given: Describe(what, given.directory)


def _described(
    what: What, words: str, answer: Any, path: str | None = None, items: str | None = None
) -> Route:
    return Route(
        method="GET",
        path=path or f"/{what}",
        words=words,
        command=_describe(what),
        in_directory=True,
        items=items,
        answer=answer,
    )


def _v2_list(given: RequestContent) -> SessionsV2:
    query = given.query
    return SessionsV2(
        directory=query["directory"],
        search=query["search"],
        ascending=query["order"] == "asc",
        cursor=query["cursor"],
        limit=query["limit"] or 50,
    )


ROUTES: Sequence[Route] = (
    _described("config", "The configuration.", _OBJECT),
    _described("config", "The configuration.", _OBJECT, "/global/config"),
    *(
        Route(method="PATCH", path=path, words="Change the configuration.", refused=_CONFIGURED)
        for path in ("/config", "/global/config")
    ),
    _described("config/providers", "The providers with their models.", _OBJECT),
    _described("provider", "The providers, and which of them are connected.", _OBJECT),
    _described("agent", "The agents that prompts may name.", _OBJECTS),
    _described("command", "The commands that prompts may begin with.", _OBJECTS),
    _described("experimental/tool", "The tools that the model may call.", _OBJECTS),
    _described("experimental/tool/ids", "The names of these tools.", list[str]),
    _described("path", "The folders of this server.", dict[str, str]),
    _described("project", "The projects that have sessions.", _OBJECTS, items=""),
    _described("project/current", "The project of the directory.", _OBJECT),
    _described("vcs", "The git branch of the directory.", dict[str, str]),
    Route(
        method="GET",
        path="/project/{project}/directories",
        words="The folders of a project.",
        command=lambda given: Directories(given.path["project"]),
        items="",
        answer=list[dict[str, str]],
    ),
    Route(
        method="POST",
        path="/instance/dispose",
        words="Have the clients of a directory read everything again.",
        command=lambda given: Dispose(given.directory),
        in_directory=True,
        answer=bool,
    ),
    Route(
        method="POST",
        path="/global/dispose",
        words="Have all clients read everything again.",
        command=lambda _: Dispose(),
        answer=bool,
    ),
    _described("api/agent", "The agents, for v2 clients.", _OBJECT),
    _described("api/command", "The commands, for v2 clients.", _OBJECT),
    _described("api/location", "The directory and its project.", _OBJECT),
    _described("api/model", "The models, for v2 clients.", _OBJECT),
    _described("api/provider", "The providers, for v2 clients.", _OBJECT),
    _described("api/session/active", "The sessions in which a turn runs.", _OBJECT),
    _described("api/integration", "Integrations, of which weir has none.", _OBJECT),
    _described("api/reference", "References, of which weir has none.", _OBJECT),
    _described("api/skill", "Skills, of which weir has none.", _OBJECT),
    Route(
        method="GET",
        path="/api/session",
        words="List sessions, for v2 clients; the last changed first.",
        command=_v2_list,
        query=(
            Query("directory", "Only sessions of this directory."),
            Query("search", "Only sessions with this text in their title."),
            Query("order", "``asc``: the first changed first.", allowed=("asc", "desc")),
            Query("limit", "How many, at most.", "integer", 1, _MOST_SESSIONS),
            Query("cursor", "``cursor.next`` of another page."),
        ),
        items="data",
        answer=_OBJECT,
    ),
)
