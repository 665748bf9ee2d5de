"""Sends requests to the server: JSON over HTTP, each on a new connection and with a deadline."""

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
    """A request to the server has failed; the message says why, and may be shown to the user."""


class ServerGone(ServerFailure):
    """The server cannot be reached, or does not answer in time."""


class AnswerLost(ServerGone):
    """The request was sent, but its answer was lost: the server may have carried it out."""


class ServerRefused(ServerFailure):
    """The server has answered with an error, or with something that cannot be read.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Server:
    """Sends requests to one server, weir or opencode."""

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
        """Send a GET request, and decode the answer as `kind`.

        Args:
            path: the path of the route, with its ids quoted.
            kind: a type of `acp_client.protocol.wire`.
            directory: the folder that the request is about; empty: none.
            timeout_s: how long to wait for the answer.
            query: more parameters of the query.

        Raises:
            ServerFailure: the request has failed, or the answer cannot be decoded as `kind`.
        """
        said = self.ask("GET", path, None, directory, timeout_s, **query)
        try:
            return decode.read(said, kind)
        except decode.UnreadableAnswer as error:
            words = f"GET {path}: the answer of {self.origin} cannot be read: {error}"
            raise ServerRefused(200, words) from None

    def get_or(self, default: _T, path: str, kind: type[_T], directory: str = "") -> _T:
        """Do the same as `get`, but return `default` if the server answers with an error.

        An older opencode does not have all routes.
        """
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
        """Send a request, and return the body of the answer.

        Args:
            method: the HTTP method.
            path: the path of the route, with its ids quoted.
            body: the body, which is sent as JSON; None: no body.
            directory: the folder that the request is about; empty: none.
            timeout_s: how long to wait for the answer, and for each next piece of it; None:
                without a limit, for a request that is answered at the end of a turn.
            query: more parameters of the query.

        Raises:
            ServerGone: the server cannot be reached.
            AnswerLost: the request was sent, but its answer did not arrive.
            ServerRefused: the server has answered with an error.
        """
        if directory:
            query["directory"] = directory
        target = f"{path}?{urlencode(query)}" if query else path
        connection = connection_to(self.origin, timeout_s)
        gone: type[ServerGone] = ServerGone
        try:
            connection.connect()
            # `getresponse` may take the socket away from the connection; `within` needs it longer.
            sock = connection.sock
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
            # opencode answers an unknown route with its web page and status 200, which means 404.
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
    """Return the whole body of an answer.

    Raises:
        HTTPException: the body was cut, or is larger than 256 MiB.
    """
    if response.length is not None and response.length <= _MOST_BYTES:
        # Only `read` without a size raises an error if the body was cut.
        return response.read()
    said = response.read(_MOST_BYTES + 1)
    if len(said) > _MOST_BYTES:
        raise http.client.HTTPException(f"answers with more than {_MOST_BYTES} bytes")
    return said


def _reason(said: bytes) -> str:
    """Return the message in the body of an error, or the begin of the body if it is not JSON."""
    try:
        decoded = msgspec.json.decode(said)
    except MALFORMED:
        return said[:200].decode(errors="replace")
    if not isinstance(decoded, dict):
        return str(decoded)[:200]
    data = decoded.get("data")
    inner = data.get("message") if isinstance(data, dict) else None
    return str(inner or decoded.get("message") or decoded.get("name") or decoded)[:500]
