"""Serves the routes of the table: decodes a request, sends its command, and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import falcon
import msgspec
from falcon import Request, Response
from msgspec import Struct
from msgspec.structs import replace

from bus.answers import Done
from bus.commands import MessageGet, Prompt, TurnWait
from bus.transport.requester import Requester
from gateway.directory import directory_of
from gateway.door.own import SCOPE
from gateway.errors import BadRequest, answer_error
from gateway.relay.scope import Scope
from gateway.resources.answer import answer
from gateway.resources.courier import Courier
from gateway.resources.intake import BodyIntake
from gateway.resources.query import flag, integer, shown
from gateway.resources.route import Delivery, Query, RequestContent, Route
from gateway.resources.scoped import in_scope

_WAIT_MS = 20_000
# Longer than `_WAIT_MS`: if a turn still runs, the processor says so after `_WAIT_MS`, and only a
# processor that hangs reaches this deadline.
_WAIT_DEADLINE_S = 25.0
_STILL_RUNNING = b"null"
INCOMPLETE = "X-Weir-Incomplete"
"""The header that says what an answer lacks, if a limit has ended the work early."""


class _Started(Struct):
    messageID: str


_STARTED = msgspec.json.Decoder(_Started)


class Means(Struct, frozen=True):
    """The objects that every resource needs.

    Attributes:
        requester: sends commands to the processor.
        courier: passes long answers to their clients.
        intake: reads and decodes bodies.
        default_directory: the directory of requests that name no directory.
        check_session: refuses a session that is not in a scope; None: no request has a scope.
    """

    requester: Requester
    courier: Courier
    intake: BodyIntake
    default_directory: str
    check_session: Callable[[str, Scope | None], None] | None = None


class Resource:
    """The Falcon resource of one path, with a responder (``on_get``) for each of its routes."""

    def __init__(self, routes: Sequence[Route], means: Means) -> None:
        served = [route.method for route in routes if route.refused is None]
        for route in routes:
            responder = (
                _Responder(route, means) if route.refused is None else _refuse(route, served)
            )
            setattr(self, f"on_{route.method.lower()}", responder)
        if len(served) < len(routes):
            self.on_options = _list_methods(served)


def _list_methods(served: Sequence[str]) -> Callable[..., None]:
    """Return the responder of ``OPTIONS``; Falcon's own lists the refused methods too."""
    allowed = ", ".join(sorted({*served, *(["HEAD"] if "GET" in served else [])}))

    def responder(req: Request, resp: Response, **path: str) -> None:
        resp.set_header("Allow", allowed)
        resp.set_header("Content-Length", "0")

    return responder


def _refuse(route: Route, served: Sequence[str]) -> Callable[..., None]:
    """Return a responder that refuses each request, for a feature that weir does not have.

    Args:
        route: the route of the feature; its `refused` is the reason.
        served: the other methods of the path, which are served; without any, the answer is 404.
    """

    def responder(req: Request, resp: Response, **path: str) -> None:
        assert route.refused is not None
        answer_error(resp, 405 if served else 404, route.refused)
        if served:
            resp.set_header("Allow", ", ".join([*served, "OPTIONS"]))

    return responder


class _Responder:
    """Answers the requests of one route."""

    def __init__(self, route: Route, means: Means) -> None:
        self._route = route
        self._means = means
        self._decoder = None if route.body is None else msgspec.json.Decoder(route.body)

    def __call__(self, req: Request, resp: Response, **path: str) -> None:
        route = self._route
        if route.fixed is not None:
            answer(resp, route.fixed)
        else:
            self._ask(req, resp, path)

    def _ask(self, req: Request, resp: Response, path: dict[str, str]) -> None:
        delivery, means = self._route.delivery, self._means
        with self._body(req) as body:
            self._check_parent(req, body)
            command = self._command(req, path, body)
            is_long = delivery is Delivery.PIECES
            done = means.courier.ask(command) if is_long else means.requester.call(command)
            waits = None
            if delivery is Delivery.TURN:
                waits = _awaited(command, _STARTED.decode(done.body).messageID)
            done = self._in_scope(req, done)
            del body, command  # frees the prompt's memory while its turn runs
        if done.lacks is not None:
            resp.set_header(INCOMPLETE, done.lacks)
            resp.set_header("Access-Control-Expose-Headers", INCOMPLETE)
        if delivery is Delivery.WHOLE:
            answer(resp, done.body)
        elif delivery is Delivery.NOTHING:
            resp.status = falcon.HTTP_204
        else:
            done = done if waits is None else _end_of(waits, means.courier)
            if done.cursor is not None:
                _lead_to(req, resp, done.cursor)
            means.courier.deliver(req, resp, done)
            if self._route.is_download:
                resp.content_type = "application/octet-stream"
                resp.set_header("Content-Disposition", "attachment")

    def _in_scope(self, req: Request, done: Done) -> Done:
        """Return an answer without the items that are outside of the request's scope."""
        route, scope = self._route, req.env.get(SCOPE)
        if route.items is None or scope is None:
            return done
        return replace(done, body=in_scope(done.body, route.items, scope))

    def _check_parent(self, req: Request, body: Any) -> None:
        """Check that the parent of a new session (`parentID`) is in the request's scope.

        Raises:
            Refusal: the parent is not in the scope.
        """
        parent, scope = getattr(body, "parentID", None), req.env.get(SCOPE)
        if parent and scope is not None and self._means.check_session is not None:
            self._means.check_session(parent, scope)

    def _command(self, req: Request, path: dict[str, str], body: Any) -> Any:
        route = self._route
        assert route.command is not None
        query = {query.name: _read(req, query) for query in route.query}
        where = ""
        if route.in_directory:
            where = directory_of(req, self._means.default_directory)
        return route.command(RequestContent(where, path, query, body))

    @contextmanager
    def _body(self, req: Request) -> Iterator[Any]:
        intake = self._means.intake
        if self._decoder is None:
            yield None
        elif self._route.is_prompt:
            with intake.prompt(req, self._decoder) as body:
                yield body
        else:
            with intake.small(req, self._decoder, self._route.empty) as body:
                yield body


def _read(req: Request, query: Query) -> Any:
    """Return the value of a query parameter; None if the parameter is absent.

    Raises:
        BadRequest: the value is not allowed, or a required parameter is absent.
    """
    given = req.get_param(query.name) or None
    if query.required and given is None:
        raise BadRequest(f"{query.name}: missing", "Query", query.name)
    if query.kind == "integer":
        return integer(req, query.name, query.low, query.high)
    if query.kind == "flag":
        return flag(req, query.name)
    if given is not None and query.allowed and given not in query.allowed:
        allowed = ", ".join(query.allowed)
        raise BadRequest(
            f"{query.name}: {shown(given)} is not allowed; allowed: {allowed}",
            "Query",
            query.name,
        )
    return given


def _awaited(command: Any, message: str) -> TurnWait | MessageGet:
    """Return the command that waits for the answer to the accepted prompt `message`."""
    if isinstance(command, Prompt) and command.body.noReply:
        return MessageGet(command.session, message)
    return TurnWait(command.session, message, _WAIT_MS)


def _end_of(waits: TurnWait | MessageGet, courier: Courier) -> Done:
    """Wait until a turn is over, and return its answer; there is no time limit.

    If the client leaves meanwhile, the turn continues.
    """
    if isinstance(waits, MessageGet):
        return courier.ask(waits)
    while (done := courier.wait(waits, _WAIT_DEADLINE_S)).body == _STILL_RUNNING:
        continue
    return done


def _lead_to(req: Request, resp: Response, cursor: str) -> None:
    """Add headers with cursor and URL of the page of older items; web pages may read them."""
    query = urlencode({**req.params, "before": cursor}, doseq=True)
    resp.set_header("X-Next-Cursor", cursor)
    # The URL has no host, since the Host header of a request may contain any name.
    path = quote("/" + req.path.lstrip("/"))
    resp.append_header("Link", f'<{path}?{query}>; rel="next"')
    resp.set_header("Access-Control-Expose-Headers", "Link, X-Next-Cursor")
