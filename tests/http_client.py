"""Plain HTTP requests with JSON answers, a connection each."""

import http.client
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.processes import DEADLINE_S


class Reply(NamedTuple):
    """The answer to a request; `body` is the JSON in it, None where there is no body."""

    status: int
    headers: http.client.HTTPMessage
    body: Any


def call(
    method: str,
    url: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = DEADLINE_S,
) -> Reply:
    """Send a request and return its answer; `body` is sent as JSON unless it is bytes."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout_s)
    try:
        connection.request(method, path, sent, dict(headers or {}))
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    return Reply(response.status, response.headers, json.loads(data) if data else None)
