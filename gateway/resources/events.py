"""`GET /event` and `GET /global/event`: the event streams (SSE)."""

from __future__ import annotations

import sys

import falcon

from bus.ids import Ids
from gateway.door.own import PRINCIPAL, SCOPE, WIRE
from gateway.errors import BadRequest, BoundReached
from gateway.folders import SourceFolders
from gateway.relay import Endpoint, View
from gateway.settings import FRAME_HZ, GatewaySettings
from gateway.streams.connection import StreamConnection
from gateway.streams.heartbeats import Heartbeats
from gateway.streams.neighbour import Neighbours
from gateway.streams.reader import StreamClient
from gateway.streams.readers import Readers, TooManyReaders
from gateway.streams.stream import Stream

_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}
_RETRY_AFTER_S = 5
_NOW = "now"
_MOST_SESSIONS = 256
_LONGEST_NAME = 128
_LONGEST_NAMES = 8192
"""The most characters of all ``session`` parameters: a stream keeps them in memory (37 KB).

256 ids of opencode are shorter.
"""
_SHOWN_AGENT = 160
_LONGEST_ID = 8192
"""The most characters of an event id that are read; no valid id is longer."""


class EventStreamRoute:
    """One of the two event streams, of one directory or of all directories.

    Query: ``session`` (repeatable; only these sessions), ``superseded=keep`` (also send deltas
    that a later snapshot contains), ``since`` (the event id to continue after, or ``now``; the
    header ``Last-Event-ID`` has precedence), ``frame_hz`` (how often a second further deltas of a
    text are sent), and on `/event` ``directory`` (or the header ``x-opencode-directory``) and
    ``workspace``. As in opencode, an empty parameter counts as absent.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        readers: Readers,
        folders: SourceFolders,
        heartbeats: Heartbeats,
        settings: GatewaySettings,
        ids: Ids,
        neighbours: Neighbours,
    ) -> None:
        self._endpoint = endpoint
        self._neighbours = neighbours
        self._readers = readers
        self._folders = folders
        self._heartbeats = heartbeats
        self._settings = settings
        self._ids = ids

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Open a stream; the reader is registered before the answer begins, so misses no event."""
        view = self._view(req)
        wire, connection = req.env.get(WIRE), self._connection(req)
        frame_hz = _frame_hz(req, self._settings.frame_hz)
        pace_s = 1 / frame_hz if frame_hz else 0.0
        try:
            reader = self._readers.open(
                view, _last_id(req), _from_now(req), pace_s, self._client(req)
            )
        except TooManyReaders:
            if connection is not None:
                connection.hang_up()  # refused connections must use no memory
            most = self._settings.max_readers
            words = f"this worker holds {most} event streams, its limit; try again"
            raise BoundReached(503, words, "--max-readers", _RETRY_AFTER_S) from None
        if wire is not None:
            wire.become_stream()
        if self._endpoint is Endpoint.INSTANCE:
            self._folders.follow(reader)
        self._head(resp)
        own = self._ids, self._heartbeats
        resp.stream = Stream(self._readers, reader, wire, connection, *own)

    def on_head(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the headers of a stream, and open no stream."""
        self._view(req)
        _frame_hz(req, 0.0)
        self._head(resp)
        resp.stream = iter(())  # no Content-Length, as in the answer to GET

    def _head(self, resp: falcon.Response) -> None:
        resp.content_type = "text/event-stream"
        resp.set_headers(_HEADERS)

    def _connection(self, req: falcon.Request) -> StreamConnection | None:
        wire = req.env.get(WIRE)
        if wire is None:
            return None
        return StreamConnection(wire.sock, self._settings.stall_timeout, self._neighbours)

    def _client(self, req: falcon.Request) -> StreamClient:
        """Return address, name and principal of the client; equal names share memory."""
        agent, came_by = req.user_agent or "", req.get_header("X-Forwarded-For") or ""
        address = self._settings.trusted_proxies.origin(req.remote_addr or "", came_by)
        name = sys.intern(agent[:_SHOWN_AGENT])
        return StreamClient(address, name, req.env.get(PRINCIPAL))

    def _view(self, req: falcon.Request) -> View:
        sessions = _sessions(req)
        keep = _superseded(req)
        scope = req.env.get(SCOPE)
        if self._endpoint is Endpoint.GLOBAL:
            return View(self._endpoint, sessions=sessions, keep_superseded=keep, scope=scope)
        return View(
            self._endpoint,
            directory=self._folders.named(req),
            workspace=_name(req.get_param("workspace") or "", "workspace") or None,
            sessions=sessions,
            keep_superseded=keep,
            scope=scope,
        )


def _last_id(req: falcon.Request) -> str | None:
    """Return the event id to continue after; None: the request names no id.

    The header comes first, since a client that reconnects repeats the query of its first request.
    A text that is longer than any id is cut; it is not a valid id before or after the cut.
    """
    since = req.get_param("since")
    given = req.get_header("Last-Event-ID") or (None if since == _NOW else since)
    return given[:_LONGEST_ID] if given else given


def _from_now(req: falcon.Request) -> bool:
    return req.get_param("since") == _NOW


def _sessions(req: falcon.Request) -> frozenset[str]:
    """Return the sessions to follow; limited, since an open stream keeps them in memory."""
    given = frozenset(filter(None, req.get_param_as_list("session") or ()))
    if len(given) > _MOST_SESSIONS:
        message = f"session: {len(given)} are given; at most {_MOST_SESSIONS} are allowed"
        raise BadRequest(message, "Query", "session")
    if (length := sum(map(len, given))) > _LONGEST_NAMES:
        message = f"session: the ids have {length} characters; {_LONGEST_NAMES} are allowed"
        raise BadRequest(message, "Query", "session")
    return frozenset(_name(one, "session") for one in given)


def _name(given: str, field: str) -> str:
    if len(given) > _LONGEST_NAME:
        message = f"{field}: {given[:_LONGEST_NAME]!r}… is longer than {_LONGEST_NAME} characters"
        raise BadRequest(message, "Query", field)
    return given


def _frame_hz(req: falcon.Request, default: float) -> float:
    given = req.get_param("frame_hz")
    if not given:
        return default
    try:
        return float(FRAME_HZ.parse(given))
    except ValueError:
        message = f"frame_hz: {given[:_LONGEST_NAME]!r} is not {FRAME_HZ.allowed}"
        raise BadRequest(message, "Query", "frame_hz") from None


def _superseded(req: falcon.Request) -> bool:
    value = req.get_param("superseded") or "drop"
    if value not in ("drop", "keep"):
        message = f"superseded: {value[:_LONGEST_NAME]!r} is not one of drop, keep"
        raise BadRequest(message, "Query", "superseded")
    return value == "keep"
