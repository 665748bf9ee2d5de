"""`GET /doc`: an OpenAPI 3.1 document, made from the table of routes and their structs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from falcon import Request, Response
from msgspec import Struct

from bus.process.version import installed_version
from gateway.resources.answer import answer
from gateway.resources.route import Delivery, Query, Route

_REF = "#/components/schemas/{name}"
_OF_ALL = (400, 401, 403, 405, 408, 413, 431, 500, 503, 504)
"""The HTTP statuses of errors that a request can get on any route."""
_PATH_WORD = re.compile(r"{(\w+)}")


class ErrorData(Struct):
    """The field `data` of an error: the message for the client."""

    message: str


class Error(Struct):
    """The body of every error."""

    name: str
    data: ErrorData


class Document:
    """The route ``/doc``."""

    def __init__(self, table: Sequence[Route]) -> None:
        self._body = msgspec.json.encode(document(table))

    def on_get(self, _req: Request, resp: Response) -> None:
        """Answer with the OpenAPI document."""
        answer(resp, self._body)


def document(table: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of a table of routes, without the routes that are refused."""
    table = [route for route in table if route.refused is None]
    bodies = [route.body for route in table if route.body is not None]
    answers = [route.answer for route in table]
    types = [*bodies, *answers, Error]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    body_schemas = iter(schemas[: len(bodies)])
    paths: dict[str, dict[str, Any]] = {}
    for route, shape in zip(table, schemas[len(bodies) : -1], strict=True):
        body = None if route.body is None else next(body_schemas)
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, body, shape)
    return {
        "openapi": "3.1.0",
        "info": {"title": "weir", "version": installed_version()},
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {str(status): _error(status) for status in HTTPStatus if status >= 400},
        },
    }


def _operation(route: Route, body: dict[str, Any] | None, shape: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.words,
        "parameters": [*_path_words(route), *map(_parameter, route.query), *_directory(route)],
        "responses": _responses(route, shape),
    }
    if body is not None:
        content = {"application/json": {"schema": body}}
        operation["requestBody"] = {"required": route.empty is None, "content": content}
    return operation


def _name(route: Route) -> str:
    words = re.findall(r"\w+", route.path)
    return ".".join([route.method.lower(), *words])


def _path_words(route: Route) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name in _PATH_WORD.findall(route.path)
    ]


def _parameter(query: Query) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"} | ({"minLength": 1} if query.required else {})
    if query.kind == "integer":
        schema = {"type": "integer", "minimum": query.low, "maximum": query.high}
    elif query.kind == "flag":
        schema = {"enum": ["true", "false", "1", "0"]}
    elif query.allowed:
        schema = {"enum": list(query.allowed)}
    return {
        "name": query.name,
        "in": "query",
        "required": query.required,
        "description": query.words,
        "schema": schema,
    }


def _directory(route: Route) -> list[dict[str, Any]]:
    if not route.in_directory:
        return []
    words = "The directory that the request is about; the server's own without it."
    schema = {"type": "string"}
    return [{"name": "directory", "in": "query", "description": words, "schema": schema}]


def _responses(route: Route, shape: dict[str, Any]) -> dict[str, Any]:
    refusals = sorted({*_OF_ALL, *route.refusals})
    responses = {str(status): {"$ref": f"#/components/responses/{status}"} for status in refusals}
    if route.delivery is Delivery.NOTHING:
        return {"204": {"description": "Taken."}} | responses
    content: dict[str, Any] = {"application/json": {"schema": shape}}
    if route.is_download:
        content = {"application/octet-stream": {}}
    return {"200": {"description": route.words, "content": content}} | responses


def _error(status: HTTPStatus) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}}
    return {"description": status.phrase, "content": content}
