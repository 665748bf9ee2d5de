"""A route of the session API: one row defines how a request becomes a command, and the answer.

The router and `GET /doc` read the same rows, so every route is documented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Literal

from msgspec import Struct

from bus.commands import Command
from gateway.resources.query import MAX_INTEGER

Method = Literal["GET", "POST", "PATCH", "DELETE"]


class Query(Struct, frozen=True):
    """A parameter of the query.

    Attributes:
        name: as in the URL.
        words: what the parameter does.
        kind: the type of its value.
        low: the smallest integer allowed.
        high: the largest integer allowed.
        allowed: the only texts allowed; empty for any.
        required: a request without the parameter is refused.
    """

    name: str
    words: str
    kind: Literal["text", "integer", "flag"] = "text"
    low: int = 0
    high: int = MAX_INTEGER
    allowed: tuple[str, ...] = ()
    required: bool = False


class RequestContent(Struct, frozen=True):
    """The checked content of a request.

    Attributes:
        directory: the directory of the request; empty if the route needs none.
        path: the variable words of the path, by their names.
        query: the parameters in `Route.query`; None for an absent parameter.
        body: decoded; None if the route takes no body.
    """

    directory: str
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any


class Delivery(Enum):
    """How the processor's answer is sent to the client."""

    WHOLE = "whole"
    """The body of one answer."""
    PIECES = "pieces"
    """A body of any length, in pieces."""
    TURN = "turn"
    """The command queues a turn; the client gets the answer of this turn."""
    NOTHING = "nothing"
    """204."""


class Route(Struct, frozen=True, kw_only=True):
    """A row.

    Attributes:
        method: of the request.
        path: with a ``{name}`` for each variable word.
        words: what the route does.
        command: makes the command; None if `fixed` or `refused` is the answer.
        fixed: JSON that is the answer to every request.
        refused: the reason, if weir does not have the feature.
        query: the parameters of the route.
        body: the struct that decodes the body; None: the route takes no body.
        empty: replaces an empty body; None: the body must not be empty.
        is_prompt: ``--max-message`` limits the body.
        in_directory: the route is about the directory of the request.
        items: the field of the answer whose items are compared to the scope of the request, empty
            for the answer itself; None: the door has compared all that the answer is about.
        answer: the type of the answer.
        delivery: how the answer is sent to the client.
        is_download: the answer is the bytes of a file, not JSON.
        refusals: statuses of this route, beside those of all routes.
    """

    method: Method
    path: str
    words: str
    command: Callable[[RequestContent], Command] | None = None
    fixed: bytes | None = None
    refused: str | None = None
    query: Sequence[Query] = ()
    body: Any = None
    empty: Any = None
    is_prompt: bool = False
    in_directory: bool = False
    items: str | None = None
    answer: Any = dict[str, Any]
    delivery: Delivery = Delivery.WHOLE
    is_download: bool = False
    refusals: tuple[int, ...] = ()
