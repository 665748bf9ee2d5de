"""The routes that list and answer permission requests and questions, as in opencode."""

from __future__ import annotations

from collections.abc import Sequence

from bus.bodies import AnswersBody, PermissionBody, PermissionResponse
from bus.commands import Asks, PermissionReply, QuestionReply
from bus.events.catalogue import PermissionAsked, QuestionAsked
from gateway.resources.route import RequestContent, Route


def _older(given: RequestContent) -> PermissionReply:
    """Return the command for the older form of a reply, whose path also has the session's id."""
    body = PermissionBody(reply=given.body.response)
    return PermissionReply(given.path["request"], body, given.path["session"])


ROUTES: Sequence[Route] = (
    Route(
        method="GET",
        path="/permission",
        words="The permissions that wait for a person in a directory.",
        command=lambda given: Asks("permission", given.directory),
        in_directory=True,
        answer=list[PermissionAsked],
    ),
    Route(
        method="POST",
        path="/permission/{request}/reply",
        words="Give or refuse a permission.",
        command=lambda given: PermissionReply(given.path["request"], given.body),
        body=PermissionBody,
        answer=bool,
        refusals=(404,),
    ),
    Route(
        method="POST",
        path="/session/{session}/permissions/{request}",
        words="Give or refuse a permission, as older clients do.",
        command=_older,
        body=PermissionResponse,
        answer=bool,
        refusals=(404,),
    ),
    Route(
        method="GET",
        path="/question",
        words="The questions that wait for a person in a directory.",
        command=lambda given: Asks("question", given.directory),
        in_directory=True,
        answer=list[QuestionAsked],
    ),
    Route(
        method="POST",
        path="/question/{request}/reply",
        words="Answer questions.",
        command=lambda given: QuestionReply(given.path["request"], given.body.answers),
        body=AnswersBody,
        answer=bool,
        refusals=(404,),
    ),
    Route(
        method="POST",
        path="/question/{request}/reject",
        words="Refuse to answer questions.",
        command=lambda given: QuestionReply(given.path["request"], None),
        answer=bool,
        refusals=(404,),
    ),
)
