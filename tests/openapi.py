"""Answers against the schemas of the OpenAPI document that a real opencode gave out."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tests.http_client import Reply
from tests.recorded import FOLDER


def check(reply: Reply, method: str, path: str) -> Any:
    """Return the body of a reply, which must be as `path` (``/session/{sessionID}``) has it."""
    assert reply.headers.get_content_type() == "application/json", reply
    validator = _validator(method.lower(), path, str(reply.status))
    error = best_match(validator.iter_errors(reply.body))
    # Its own words hold the whole document.
    assert error is None, f"{error.json_path}: {error.message}"
    return reply.body


@cache
def _validator(method: str, path: str, status: str) -> Draft202012Validator:
    document = _document()
    answer = document["paths"][path][method]["responses"][status]
    schema = answer["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})


@cache
def _document() -> dict[str, Any]:
    return json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8"))
