"""Sends every error as JSON, in opencode's form: ``{"name": …, "data": {"message": …}}``.

opencode documents a 400 in two forms, depending on the route, and a client that was generated from
opencode's schema reads only the form of the route. So every 400 from weir has the fields of both
forms: the flat ``InvalidRequestError`` and the nested ``BadRequestError``.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Literal

import falcon
import msgspec
from falcon import Request, Response

from bus.answers import CommandFailed, FailureKind
from bus.transport.requester import DeadlineExceeded, ProcessorGone
from gateway.proxy.failures import Refusal
from gateway.unknown_routes import UnknownRoutes

log = logging.getLogger("weir.gateway")

RequestPart = Literal["Params", "Headers", "Query", "Body"]

_NAMES = {
    400: "BadRequest",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    404: "NotFoundError",
    405: "MethodNotAllowedError",
    408: "RequestTimeoutError",
    409: "ConflictError",
    413: "ContentTooLargeError",
    414: "UriTooLongError",
    417: "ExpectationFailedError",
    429: "TooManyRequestsError",
    431: "HeadersTooLargeError",
    501: "NotImplementedError",
    502: "BadGatewayError",
    503: "ServiceUnavailableError",
    504: "DeadlineExceededError",
    507: "InsufficientStorageError",
}
_STATUS_OF_FAILURE: dict[FailureKind, int] = {
    "invalid": 400,
    "not_found": 404,
    "conflict": 409,
    "full": 429,
    "unavailable": 503,
    "unsupported": 501,
    "no_room": 507,
    "internal": 500,
}


class BadRequest(Exception):
    """A request that the client has to correct; answered with 400.

    Args:
        message: says what is wrong, and what is allowed.
        kind: the part of the request that is wrong.
        field: the wrong field in this part, such as ``parts[0].text``; None for the whole part.
    """

    def __init__(self, message: str, kind: RequestPart, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.field = field


class BoundReached(Exception):
    """A request that would exceed a bound, such as the number of streams.

    Args:
        status: the HTTP status of the answer, such as 429.
        message: says how much there is, and how much is allowed.
        bound: the name of the bound, usually the flag that sets the bound.
        retry_after_s: in how many seconds to try again; None if this would not help.
    """

    def __init__(
        self, status: int, message: str, bound: str, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.bound = bound
        self.retry_after_s = retry_after_s


def error_body(status: int, message: str, **detail: Any) -> bytes:
    """Return the JSON of an error answer, with the fields of `detail` beside the message."""
    data = {"message": message, **detail}
    error: dict[str, Any] = {"name": _NAMES.get(status, "UnknownError"), "data": data}
    if status == 400:
        error |= {"_tag": "InvalidRequestError", **data}
    return msgspec.json.encode(error)


def answer_error(resp: Response, status: int, message: str, **detail: Any) -> None:
    """Make `resp` an error answer, with the fields of `detail` beside the message."""
    resp.status = status
    resp.content_type = falcon.MEDIA_JSON
    resp.data = error_body(status, message, **detail)


def install_error_handlers(app: falcon.App[Request, Response], unknown: UnknownRoutes) -> None:
    """Let `app` answer every exception that its resources may raise with a status and JSON.

    Args:
        app: the application.
        unknown: counts requests for routes that `app` does not have.
    """

    def no_route(
        req: Request, resp: Response, error: falcon.HTTPError, params: dict[str, Any]
    ) -> None:
        unknown.note(req.method, req.path)
        _http_error(req, resp, error, params)

    app.add_error_handler(Exception, _unexpected)
    app.add_error_handler(falcon.HTTPError, _http_error)
    app.add_error_handler(falcon.HTTPRouteNotFound, no_route)
    app.add_error_handler(falcon.HTTPMethodNotAllowed, no_route)
    app.add_error_handler(BadRequest, _bad_request)
    app.add_error_handler(BoundReached, _bound_reached)
    app.add_error_handler(Refusal, _refused)
    app.add_error_handler(CommandFailed, _command_failed)
    app.add_error_handler(ProcessorGone, _processor_gone)
    app.add_error_handler(DeadlineExceeded, _deadline_exceeded)


def _bad_request(req: Request, resp: Response, error: BadRequest, params: dict[str, Any]) -> None:
    where = {"kind": error.kind} | ({"field": error.field} if error.field else {})
    answer_error(resp, 400, error.message, **where)


def _refused(req: Request, resp: Response, error: Refusal, params: dict[str, Any]) -> None:
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        resp.set_header("Retry-After", "1")
    detail = {} if error.bound is None else {"bound": error.bound}
    answer_error(resp, error.status, error.message, **detail)


def status_of(error: CommandFailed) -> int:
    """Return the HTTP status with which to answer if the processor has refused a command."""
    return _STATUS_OF_FAILURE[error.kind]


def _command_failed(
    req: Request, resp: Response, error: CommandFailed, params: dict[str, Any]
) -> None:
    _come_back(resp, error.retry_after_s)
    detail = {} if error.bound is None else {"bound": error.bound}
    if error.field is not None:
        detail |= {"kind": "Body", "field": error.field}
    answer_error(resp, status_of(error), error.message, **detail)


def _bound_reached(
    req: Request, resp: Response, error: BoundReached, params: dict[str, Any]
) -> None:
    _come_back(resp, error.retry_after_s)
    answer_error(resp, error.status, error.message, bound=error.bound)


def _come_back(resp: Response, after_s: int | None) -> None:
    if after_s is not None:
        resp.set_header("Retry-After", str(after_s))


def _processor_gone(
    req: Request, resp: Response, error: ProcessorGone, params: dict[str, Any]
) -> None:
    resp.set_header("Retry-After", "1")
    answer_error(resp, 503, f"{error}; try again soon")


def _deadline_exceeded(
    req: Request, resp: Response, error: DeadlineExceeded, params: dict[str, Any]
) -> None:
    answer_error(resp, 504, str(error), bound="--command-timeout")


def _http_error(
    req: Request, resp: Response, error: falcon.HTTPError, params: dict[str, Any]
) -> None:
    if error.headers is not None:
        resp.set_headers(error.headers)
    answer_error(resp, error.status_code, _words(req, resp, error))


def _words(req: Request, resp: Response, error: falcon.HTTPError) -> str:
    if isinstance(error, falcon.HTTPRouteNotFound):
        return f"there is no route {req.method} {req.path}"
    if isinstance(error, falcon.HTTPMethodNotAllowed):
        return f"{req.path} does not take {req.method}; allowed: {resp.get_header('Allow')}"
    return error.description or f"{req.method} {req.path}: {error.title}"


def _unexpected(req: Request, resp: Response, error: Exception, params: dict[str, Any]) -> None:
    log.error(
        "weir has a bug: %s %.200r failed, and got 500", req.method, req.path, exc_info=error
    )
    answer_error(resp, 500, "the gateway failed; its log says why")
