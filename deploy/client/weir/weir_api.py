"""Sends HTTP requests from an agent to weir, with `http.client` of the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from weir.errors import Fenced, Refused, Unreachable

TIMEOUT_S = 60.0
"""The timeout of a request, in seconds: weir answers within 30 s, with an error if need be."""
SILENT_S = 15.0
"""The timeout of the stream of prompts, in seconds: weir sends something on it every second."""
_PASSES = (408, 429, 502, 503, 504, 507)
_MOST_LINE = 16 * 1024 * 1024


class Passing(Exception):
    """A request failed for a reason that may pass, for example 503; the caller may repeat it."""


class WeirApi:
    """The client for the HTTP routes of one weir.

    Args:
        url: ``http(s)://[USER:PASSWORD@]HOST[:PORT][/PATH]``. If there is no login in the URL, the
            environment variable ``WEIR_TOKEN`` or ``OPENCODE_SERVER_PASSWORD`` is used.

    Raises:
        ValueError: the URL does not have this form.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url: {url!r} is not allowed; allowed is http(s)://HOST[:PORT]")
        self._host, self._port = parts.hostname, parts.port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._path = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if (authorization := _authorization(parts, os.environ)) is not None:
            self._headers["Authorization"] = authorization
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{self._path}"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request on a new connection, and return the JSON of the answer.

        Raises:
            Refused: weir has answered with an error.
            Unreachable: weir has not answered, or with a status that asks to try again, as 503.
        """
        data = None if body is None else json.dumps(body).encode()
        with closing(self.connection(TIMEOUT_S)) as connection:
            try:
                answer = self._answer(connection, method, path, data)
                said = answer.read()
                _check(answer.status, said)
            except (OSError, http.client.HTTPException, Passing) as error:
                raise Unreachable(f"{self.url}: {_cause(error)}") from error
        return json.loads(said) if said else None

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """Return an HTTP connection, which is opened by its first request."""
        if self._tls is not None:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=timeout_s, context=self._tls
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)

    def lines(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        data: bytes | None = None,
    ) -> Iterator[bytes]:
        """Send a request on the given connection, and yield the answer's lines as they arrive.

        Raises:
            Passing: there is no answer, the answer was cut, or its status asks to try again.
            Refused: weir has answered with a permanent error.
            Fenced: another process has connected with the agent's name since.
        """
        try:
            answer = self._answer(connection, method, path, data)
            if answer.status != 200:
                _check(answer.status, answer.read())
            while line := answer.readline(_MOST_LINE):
                if not line.endswith(b"\n"):
                    raise http.client.IncompleteRead(line)
                yield line
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Passing(_cause(error)) from error

    def _answer(
        self, connection: http.client.HTTPConnection, method: str, path: str, data: bytes | None
    ) -> http.client.HTTPResponse:
        connection.request(method, self._path + path, data, self._headers)
        return connection.getresponse()


def _check(status: int, body: bytes) -> None:
    if status < 400:
        return
    try:
        message = json.loads(body)["data"]["message"]
    except (ValueError, KeyError, TypeError):
        message = body[:200].decode(errors="replace") or f"status {status}"
    raise failure(status, str(message))


def failure(status: int, message: str) -> Exception:
    """Return the exception for an error that weir has answered with.

    `Passing` for errors that may pass, `Fenced` for 409, otherwise `Refused`.
    """
    if status in _PASSES:
        return Passing(message)
    if status == 409:
        return Fenced(message)
    return Refused(message, status)


def _cause(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _authorization(parts: SplitResult, environ: Mapping[str, str]) -> str | None:
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    elif token := environ.get("WEIR_TOKEN"):
        return f"Bearer {token}"
    elif password := environ.get("OPENCODE_SERVER_PASSWORD"):
        login = f"{environ.get('OPENCODE_SERVER_USERNAME') or 'opencode'}:{password}"
    else:
        return None
    return f"Basic {base64.b64encode(login.encode()).decode()}"
