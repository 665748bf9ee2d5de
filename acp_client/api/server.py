"""Requests to the server: JSON over HTTP, each with a connection and a deadline of its own."""

from __future__ import annotations

import http.client
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from acp_client.api.connection import connection_to, in_words, within
from acp_client.protocol import decode
from bus.malformed import MALFORMED
from bus.origin import Origin

_T = TypeVar("_T")
_TIMEOUT_S = 30.0
_BODY_WITHIN_S = 300.0
_MOST_BYTES = 256 * 1024 * 1024


class ServerFailure(Exception):
    """A request failed; the message is for a person."""


class ServerGone(ServerFailure):
    """The server does not answer."""


class AnswerLost(ServerGone):
    """The request was sent and may have been carried out, but its answer was lost."""


class ServerRefused(ServerFailure):
    """The server answers with an error."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Server:
    """A server: weir or opencode."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    def get(
        self,
        path: str,
        kind: type[_T],
        directory: str = "",
        timeout_s: float = _TIMEOUT_S,
        **query: Any,
    ) -> _T:
        """Send a GET, and return the answer as a type of `acp_client.protocol.wire`.

        Raises:
            ServerFailure: the request failed, or the answer has another form.
        """
        said = self.ask("GET", path, None, directory, timeout_s, **query)
        try:
            return decode.read(said, kind)
        except decode.UnreadableAnswer as error:
            raise ServerRefused(200, f"GET {path}: the answer cannot be read: {error}") from None

    def get_or(self, default: _T, path: str, kind: type[_T], directory: str = "") -> _T:
        """Like `get`, but return `default` if the server does not have the route."""
        try:
            return self.get(path, kind, directory)
        except ServerRefused:
            return default

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        directory: str = "",
        timeout_s: float | None = _TIMEOUT_S,
        **query: Any,
    ) -> bytes:
        """Send a request and return the body of the answer.

        Args:
            method: of HTTP.
            path: of the route, quoted.
            body: sent as JSON; None: no body.
            directory: the folder of the request.
            timeout_s: how long the answer may take to begin, and how long it may then be silent;
                None if the answer may take as long as a turn.
            query: more parameters of the query.

        Raises:
            ServerGone: the server cannot be reached.
            Unanswered: the request was sent, but no answer came.
            ServerRefused: the answer is an error.
        """
        if directory:
            query["directory"] = directory
        target = f"{path}?{urlencode(query)}" if query else path
        connection = connection_to(self.origin, timeout_s)
        gone: type[ServerGone] = ServerGone
        try:
            connection.connect()
            sock = connection.sock  # the response may take it over
            with within(sock, timeout_s):
                connection.request(method, self.origin.target(target), *self._content(body))
                gone = AnswerLost
                response = connection.getresponse()
            with within(sock, _BODY_WITHIN_S):
                said = _whole(response)
        except (OSError, http.client.HTTPException) as error:
            raise gone(f"{self.origin} {in_words(error)}") from error
        finally:
            connection.close()
        if response.status >= 300 or response.headers.get_content_type() == "text/html":
            # opencode answers an unknown route with a web page.
            status = 404 if response.status < 300 else response.status
            raise ServerRefused(status, f"{method} {path}: {status} {_reason(said)}".strip())
        return said

    def _content(self, body: Any) -> tuple[bytes | None, dict[str, str]]:
        headers = {"Accept": "application/json"}
        if self.origin.login is not None:
            headers["Authorization"] = self.origin.login.basic
        if body is None:
            return None, headers
        return msgspec.json.encode(body), {**headers, "Content-Type": "application/json"}


def _whole(response: http.client.HTTPResponse) -> bytes:
    """Return the body of an answer.

    Raises:
        HTTPException: the body was cut, or is larger than the limit.
    """
    if response.length is not None and response.length <= _MOST_BYTES:
        return response.read()  # with a size, `read` would not notice a cut
    said = response.read(_MOST_BYTES + 1)
    if len(said) > _MOST_BYTES:
        raise http.client.HTTPException(f"answers with more than {_MOST_BYTES} bytes")
    return said


def _reason(said: bytes) -> str:
    """Return the message in the body of an error, or the whole body if it is not JSON."""
    try:
        decoded = msgspec.json.decode(said)
    except MALFORMED:
        return said[:200].decode(errors="replace")
    if not isinstance(decoded, dict):
        return str(decoded)[:200]
    data = decoded.get("data")
    inner = data.get("message") if isinstance(data, dict) else None
    return str(inner or decoded.get("message") or decoded.get("name") or decoded)[:500]
