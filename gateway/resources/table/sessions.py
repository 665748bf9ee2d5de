"""The routes that create, list, change, copy, revert and remove sessions."""

from __future__ import annotations

from collections.abc import Sequence

from bus.bodies import CreateBody, ForkBody, PatchBody, RevertBody, SummarizeBody
from bus.commands import (
    Abort,
    SessionChildren,
    SessionCreate,
    SessionDelete,
    SessionDiff,
    SessionFork,
    SessionGet,
    SessionList,
    SessionPatch,
    SessionRevert,
    SessionSummarize,
    Statuses,
    TodoList,
)
from bus.events.session import FileDiff, Session, Status, Todo
from gateway.resources.route import Delivery, Query, RequestContent, Route

_DEFAULT_LIMIT = 100
_MAX_LIMIT = 10_000
_BUSY = (404, 409)
"""Error statuses: the session does not exist (404), or a turn runs in the session (409)."""


def _listed(given: RequestContent) -> SessionList:
    query = given.query
    return SessionList(
        directory=None if query["scope"] else given.directory,
        roots=query["roots"],
        start=query["start"],
        search=query["search"],
        limit=query["limit"] or _DEFAULT_LIMIT,
    )


ROUTES: Sequence[Route] = (
    Route(
        method="GET",
        path="/session",
        words="List the sessions of a directory, or of all directories; the last changed first.",
        command=_listed,
        query=(
            Query("roots", "Leave out sessions that have a parent.", "flag"),
            Query("start", "Only sessions that changed at or after this time (ms).", "integer"),
            Query("search", "Only sessions with this text in their title."),
            Query("limit", "How many.", "integer", 1, _MAX_LIMIT),
            Query("scope", "``project``: of every directory.", allowed=("project",)),
        ),
        in_directory=True,
        answer=list[Session],
        delivery=Delivery.PIECES,
    ),
    Route(
        method="POST",
        path="/session",
        words="Make a session.",
        command=lambda given: SessionCreate(given.directory, given.body),
        body=CreateBody,
        empty=CreateBody(),
        in_directory=True,
        answer=Session,
        refusals=(404, 507),
    ),
    Route(
        method="GET",
        path="/session/status",
        words="The status of each session of a directory that is not idle.",
        command=lambda given: Statuses(given.directory),
        in_directory=True,
        answer=dict[str, Status],
    ),
    Route(
        method="GET",
        path="/session/{session}",
        words="One session.",
        command=lambda given: SessionGet(given.path["session"]),
        answer=Session,
        refusals=(404,),
    ),
    Route(
        method="PATCH",
        path="/session/{session}",
        words="Change the given fields of a session.",
        command=lambda given: SessionPatch(given.path["session"], given.body),
        body=PatchBody,
        answer=Session,
        refusals=(404, 507),
    ),
    Route(
        method="DELETE",
        path="/session/{session}",
        words="Stop the turns of a session, and remove the session with its children.",
        command=lambda given: SessionDelete(given.path["session"]),
        answer=bool,
        refusals=(404,),
    ),
    Route(
        method="POST",
        path="/session/{session}/abort",
        words="Stop the turn that runs, and drop the prompts that wait.",
        command=lambda given: Abort(given.path["session"]),
        answer=bool,
        refusals=(404,),
    ),
    Route(
        method="GET",
        path="/session/{session}/children",
        words="The sessions whose parent this session is.",
        command=lambda given: SessionChildren(given.path["session"]),
        items="",
        answer=list[Session],
        refusals=(404,),
    ),
    Route(
        method="POST",
        path="/session/{session}/fork",
        words="Copy a session: all its messages, or those before a message.",
        command=lambda given: SessionFork(given.path["session"], given.body),
        body=ForkBody,
        empty=ForkBody(),
        answer=Session,
        refusals=(404, 507),
    ),
    Route(
        method="POST",
        path="/session/{session}/revert",
        words="Hide a message and all later ones. The next prompt removes them.",
        command=lambda given: SessionRevert(given.path["session"], given.body),
        body=RevertBody,
        answer=Session,
        refusals=(*_BUSY, 507),
    ),
    Route(
        method="POST",
        path="/session/{session}/unrevert",
        words="Show the messages again that a revert has hidden.",
        command=lambda given: SessionRevert(given.path["session"]),
        answer=Session,
        refusals=(*_BUSY, 507),
    ),
    Route(
        method="POST",
        path="/session/{session}/summarize",
        words="Sum a session up; the model reads the summary in place of what came before.",
        command=lambda given: SessionSummarize(given.path["session"], given.body),
        body=SummarizeBody,
        answer=bool,
        refusals=(404, 409, 429, 501),
    ),
    Route(
        method="GET",
        path="/session/{session}/todo",
        words="The todo list of a session.",
        command=lambda given: TodoList(given.path["session"]),
        answer=list[Todo],
        refusals=(404,),
    ),
    Route(
        method="GET",
        path="/session/{session}/diff",
        words="What the tools of a session have changed in files.",
        command=lambda given: SessionDiff(given.path["session"], given.query["messageID"]),
        query=(Query("messageID", "Only the turn of this prompt."),),
        answer=list[FileDiff],
        refusals=(404,),
    ),
)
