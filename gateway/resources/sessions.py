"""Sessions: made, listed, changed and removed."""

from __future__ import annotations

import msgspec
from falcon import Request, Response

from bus.bodies import CreateBody, PatchBody
from bus.commands import (
    SessionCreate,
    SessionDelete,
    SessionGet,
    SessionList,
    SessionPatch,
    Statuses,
    TodoList,
)
from bus.transport.requester import Requester
from gateway.directory import directory_of
from gateway.errors import BadRequest
from gateway.resources.answer import answer
from gateway.resources.courier import Courier
from gateway.resources.intake import BodyIntake
from gateway.resources.query import flag, integer

_CREATE = msgspec.json.Decoder(CreateBody)
_PATCH = msgspec.json.Decoder(PatchBody)
_DEFAULT_LIMIT = 100
_MAX_LIMIT = 10_000


class Sessions:
    """``/session``."""

    def __init__(
        self, requester: Requester, courier: Courier, intake: BodyIntake, default_directory: str
    ) -> None:
        self._requester = requester
        self._courier = courier
        self._intake = intake
        self._default_directory = default_directory

    def on_get(self, req: Request, resp: Response) -> None:
        """List the sessions of a directory, or of all with ``?scope=project``."""
        command = SessionList(
            directory=self._scope(req),
            roots=flag(req, "roots"),
            start=integer(req, "start"),
            search=req.get_param("search") or None,
            limit=integer(req, "limit", 1, _MAX_LIMIT) or _DEFAULT_LIMIT,
        )
        self._courier.deliver(req, resp, self._courier.ask(command))

    def on_post(self, req: Request, resp: Response) -> None:
        """Make a session; the body may be empty."""
        directory = directory_of(req, self._default_directory)
        with self._intake.small(req, _CREATE, CreateBody()) as body:
            answer(resp, self._requester.call(SessionCreate(directory, body)).body)

    def _scope(self, req: Request) -> str | None:
        scope = req.get_param("scope")
        if scope not in (None, "", "project"):
            raise BadRequest(
                f"scope: {scope!r} is not allowed; allowed is project", "Query", "scope"
            )
        directory = directory_of(req, self._default_directory)
        return None if scope else directory


class SessionRoute:
    """``/session/{id}``."""

    def __init__(self, requester: Requester, intake: BodyIntake) -> None:
        self._requester = requester
        self._intake = intake

    def on_get(self, req: Request, resp: Response, session: str) -> None:
        """Answer the session."""
        answer(resp, self._requester.call(SessionGet(session)).body)

    def on_patch(self, req: Request, resp: Response, session: str) -> None:
        """Change the given fields, and answer the session."""
        with self._intake.small(req, _PATCH) as body:
            answer(resp, self._requester.call(SessionPatch(session, body)).body)

    def on_delete(self, req: Request, resp: Response, session: str) -> None:
        """Remove the session."""
        answer(resp, self._requester.call(SessionDelete(session)).body)


class SessionStatuses:
    """``/session/status``: what runs in a directory."""

    def __init__(self, requester: Requester, default_directory: str) -> None:
        self._requester = requester
        self._default_directory = default_directory

    def on_get(self, req: Request, resp: Response) -> None:
        """Answer the status of each session that is not idle."""
        directory = directory_of(req, self._default_directory)
        answer(resp, self._requester.call(Statuses(directory)).body)


class TodosRoute:
    """``/session/{id}/todo``."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def on_get(self, req: Request, resp: Response, session: str) -> None:
        """Answer the todo list of the session."""
        answer(resp, self._requester.call(TodoList(session)).body)
