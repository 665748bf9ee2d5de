"""A route of the session API: how a request becomes a command, and how it is answered.

The router and `GET /doc` use the same table of routes, so that every route is documented.
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
    """A parameter of a route's query.

    Attributes:
        name: the name in the URL.
        words: a description for `GET /doc`.
        kind: the type of the value.
        low: the smallest allowed integer.
        high: the largest allowed integer.
        allowed: the allowed texts; empty: all texts are allowed.
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
        directory: the directory of the request; empty if the route needs no directory.
        path: the values of the ``{name}`` in the route's path, by name.
        query: the values of the parameters in `Route.query`; None for an absent parameter.
        body: the decoded body; None if the route takes no body.
    """

    directory: str
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any


class Delivery(Enum):
    """How the processor's answer is sent to the client."""

    WHOLE = "whole"
    """The processor's answer is the whole body."""
    PIECES = "pieces"
    """The body may be long, so the gateway requests it from the processor in pieces."""
    TURN = "turn"
    """The command queues a turn; the client waits, and gets the turn's answer at its end."""
    NOTHING = "nothing"
    """Status 204 without a body."""


class Route(Struct, frozen=True, kw_only=True):
    """A method of a path: how its requests are decoded and answered.

    Attributes:
        method: the HTTP method.
        path: the path, with a ``{name}`` for each variable segment.
        words: a description for `GET /doc`.
        command: makes the command from a request; None if `fixed` or `refused` is the answer.
        fixed: the JSON with which every request is answered; None: a command is sent.
        refused: why weir does not have the feature; None: weir has it.
        query: the query parameters.
        body: the type of the body; None: the route takes no body.
        empty: the value for an empty body; None: the body must not be empty.
        is_prompt: ``--max-message`` limits the size of the body.
        in_directory: the command needs the directory of the request.
        items: the field of the answer with a list, from which items outside of the request's scope
            are removed; empty: the answer itself is the list; None: there is nothing to remove.
        answer: the type of the answer, for `GET /doc`.
        delivery: how the processor's answer is sent to the client.
        is_download: the answer is the bytes of a file, not JSON.
        refusals: HTTP statuses of errors, beside the statuses that all routes have.
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
