"""The REST requests to an opencode, for what was missed while its event stream was cut."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec
import urllib3
from msgspec import Meta, Struct
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as TimedOut

from bus import depth, json
from processor.upstream.failures import in_words, refusal
from processor.upstream.frames import InstanceLocation
from processor.upstream.settings import UpstreamSettings
from processor.upstream.subject import Json

log = logging.getLogger("weir.upstream")

PAGE = 100
MOST_LISTED = 1000
_MOST_BYTES = 64 * 1024 * 1024
_LEVELS = depth.MOST_LEVELS
_LIST = list[Any]
_MAY_PASS = (401, 403, 408, 425, 429)


class _Object(Struct):
    """Any JSON object."""


class _Named(Struct):
    id: str


class _Health(Struct):
    version: Annotated[str, Meta(max_length=128)]


class _Path(Struct):
    directory: Annotated[str, Meta(max_length=4096)]


class _Request(Struct):
    id: str
    sessionID: str


class _Message(Struct):
    info: _Named
    parts: list[_Named]


_STATUSES = dict[str, _Object]
"""Statuses by session id. The ids are not checked: one bad id must not hide the others."""


class MessagePage(Struct, frozen=True):
    """Messages with their parts, oldest first.

    Attributes:
        before: the cursor of the previous page; None if there is none.
        size: of the answer, in bytes.
    """

    messages: list[Json]
    before: str | None
    size: int


class _Answer(NamedTuple):
    headers: Mapping[str, str]
    size: int


class RestFailed(Exception):
    """A request failed, and may succeed later; the message names the request and the reason."""


class RestCut(RestFailed):
    """The connection was refused or lost, so the failure does not depend on the request."""


class NotJson(RestFailed):
    """The answer is not JSON; perhaps it was cut off."""


class NotThere(Exception):
    """The route does not exist, or its answer has an unexpected form."""


class SessionGone(Exception):
    """The session does not exist."""


class UpstreamApi:
    """Sends REST requests to one server.

    Every method may raise `RestFailed` or `NotThere`, and `SessionGone` if it takes a session.

    Args:
        settings: the server and its login.
        pool: makes the connections.
        timeout_s: how long connecting, and each wait for bytes of an answer, may take.
    """

    def __init__(
        self, settings: UpstreamSettings, pool: urllib3.PoolManager, timeout_s: float = 8.0
    ) -> None:
        self._url = settings.url
        self._headers = {"Accept": "application/json"}
        if settings.authorization is not None:
            self._headers["Authorization"] = settings.authorization
        self._pool = pool
        self._timeout = urllib3.Timeout(connect=timeout_s, read=timeout_s)

    def version(self) -> str:
        """Return the server's version."""
        health, _ = self._get("/global/health", InstanceLocation(), {}, _Health)
        version: str = health["version"]
        return version

    def folder(self, spelt: str | None = None) -> str:
        """Return the server's name of a folder in any spelling; None: the server's own folder."""
        found, _ = self._get("/path", InstanceLocation(spelt), {}, _Path)
        directory: str = found["directory"]
        return directory

    def statuses(self, place: InstanceLocation) -> dict[str, Json]:
        """Return the status of every session that is not idle."""
        statuses: dict[str, Json]
        statuses, _ = self._get("/session/status", place, {}, _STATUSES)
        return statuses

    def changed_sessions(self, place: InstanceLocation, since_ms: int) -> list[Json]:
        """Return sessions that changed at or after `since_ms`: the latest `MOST_LISTED`."""
        query = {"start": str(since_ms), "limit": str(MOST_LISTED)}
        sessions: list[Json]
        sessions, _ = self._get("/session", place, query, list[_Named])
        return sessions

    def requests(self, kind: str, place: InstanceLocation) -> list[Json]:
        """Return the pending requests of a kind: ``permission`` or ``question``."""
        requests: list[Json]
        requests, _ = self._get(f"/{kind}", place, {}, list[_Request])
        return requests

    def session(self, session: str, place: InstanceLocation) -> Json:
        """Return a session."""
        info: Json
        info, _ = self._get(f"/session/{quote(session)}", place, {}, _Named)
        return info

    def messages(
        self, session: str, place: InstanceLocation, before: str | None = None
    ) -> MessagePage:
        """Return the newest messages before a cursor, with their parts."""
        query = {"limit": str(PAGE)} | ({} if before is None else {"before": before})
        path = f"/session/{quote(session)}/message"
        messages, answer = self._get(path, place, query, list[_Message])
        return MessagePage(messages, answer.headers.get("X-Next-Cursor"), answer.size)

    def todos(self, session: str, place: InstanceLocation) -> list[Json]:
        """Return the todo list of a session."""
        todos: list[Json]
        todos, _ = self._get(f"/session/{quote(session)}/todo", place, {}, _LIST)
        return todos

    def diff(self, session: str, place: InstanceLocation) -> list[Json]:
        """Return the changes to the files of a session, as in ``session.diff`` events."""
        diff: list[Json]
        diff, _ = self._get(f"/session/{quote(session)}/diff", place, {}, _LIST)
        return diff

    def _get(
        self, path: str, place: InstanceLocation, query: Mapping[str, str], shape: Any
    ) -> tuple[Any, _Answer]:
        directory = place.directory
        if directory is not None:
            directory = directory.replace("%", "%25")  # opencode decodes the value twice
        where = {"directory": directory, "workspace": place.workspace}
        given = {name: value for name, value in where.items() if value is not None} | dict(query)
        try:
            response = self._pool.request(
                "GET",
                f"{self._url}{path}" + (f"?{urlencode(given, quote_via=quote)}" if given else ""),
                headers=self._headers,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            body = response.read(_MOST_BYTES + 1)
            if len(body) > _MOST_BYTES:
                response.close()
            response.release_conn()
        except HTTPError as error:
            failed = RestFailed if isinstance(error, TimedOut) else RestCut
            raise failed(f"GET {path}: the upstream {in_words(error)}") from error
        if response.status >= 500 or response.status in _MAY_PASS:
            raise RestFailed(f"GET {path}: the upstream {refusal(response)}")
        if response.status != 200 or "json" not in response.headers.get("Content-Type", ""):
            # opencode answers an unknown route with status 200 and HTML.
            about_session = response.status == 404 and path.startswith("/session/ses")
            raise SessionGone(path) if about_session else NotThere(path)
        if len(body) > _MOST_BYTES:
            log.error(
                "upstream: the answer to GET %s is ignored, since it has over %d bytes",
                path,
                _MOST_BYTES,
            )
            raise NotThere(path)
        return _read(path, body, shape), _Answer(response.headers, len(body))


def _read(path: str, body: bytes, shape: Any) -> Any:
    """Decode an answer, and check that it has the form `shape`.

    Values that are nested too deep are replaced by placeholders, which `depth.is_folded` finds.
    """
    try:
        if depth.too_deep(body, _LEVELS):
            body = depth.fold(body, _LEVELS).json
        value = json.decode(body)
        shaped = msgspec.convert(value, shape)
        if shape not in (_LIST, _STATUSES):
            msgspec.json.encode(shaped)  # ids must be valid Unicode to be sent
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        log.error(
            "upstream: the answer to GET %s is ignored, since its form is unexpected: %s",
            path,
            error,
        )
        raise NotThere(path) from error
    except depth.TooDeep as error:
        log.error("upstream: the answer to GET %s is ignored: %s", path, error)
        raise NotThere(path) from error
    except ValueError as error:
        raise NotJson(f"GET {path}: the answer of the upstream is not JSON") from error
    return value
