"""Permissions and questions: listed and answered, as in an opencode."""

from __future__ import annotations

from typing import Literal

import msgspec
from falcon import Request, Response

from bus.bodies import AnswersBody, PermissionBody, PermissionResponse
from bus.commands import Asks as AskList
from bus.commands import PermissionReply, QuestionReply
from bus.transport.requester import Requester
from gateway.directory import directory_of
from gateway.resources.answer import answer
from gateway.resources.intake import BodyIntake

_PERMISSION = msgspec.json.Decoder(PermissionBody)
_RESPONSE = msgspec.json.Decoder(PermissionResponse)
_ANSWERS = msgspec.json.Decoder(AnswersBody)


class AsksRoute:
    """``/permission`` and ``/question``."""

    def __init__(
        self,
        kind: Literal["permission", "question"],
        requester: Requester,
        default_directory: str,
    ) -> None:
        self._kind: Literal["permission", "question"] = kind
        self._requester = requester
        self._default_directory = default_directory

    def on_get(self, req: Request, resp: Response) -> None:
        """List what waits in a directory."""
        directory = directory_of(req, self._default_directory)
        answer(resp, self._requester.call(AskList(self._kind, directory)).body)


class PermissionAnswer:
    """``/permission/{id}/reply``."""

    def __init__(self, requester: Requester, intake: BodyIntake) -> None:
        self._requester = requester
        self._intake = intake

    def on_post(self, req: Request, resp: Response, request: str) -> None:
        """Give or refuse leave."""
        with self._intake.small(req, _PERMISSION) as body:
            answer(resp, self._requester.call(PermissionReply(request, body)).body)


class PermissionOfSession:
    """``/session/{id}/permissions/{id}``, as older clients have it."""

    def __init__(self, requester: Requester, intake: BodyIntake) -> None:
        self._requester = requester
        self._intake = intake

    def on_post(self, req: Request, resp: Response, session: str, request: str) -> None:
        """Give or refuse leave."""
        with self._intake.small(req, _RESPONSE) as body:
            reply = PermissionReply(request, PermissionBody(reply=body.response), session)
            answer(resp, self._requester.call(reply).body)


class QuestionAnswer:
    """``/question/{id}/reply``."""

    def __init__(self, requester: Requester, intake: BodyIntake) -> None:
        self._requester = requester
        self._intake = intake

    def on_post(self, req: Request, resp: Response, request: str) -> None:
        """Answer the questions."""
        with self._intake.small(req, _ANSWERS) as body:
            answer(resp, self._requester.call(QuestionReply(request, body.answers)).body)


class QuestionRefusal:
    """``/question/{id}/reject``."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def on_post(self, req: Request, resp: Response, request: str) -> None:
        """Refuse to answer."""
        answer(resp, self._requester.call(QuestionReply(request, None)).body)
