"""Reads the event stream (SSE) of a server, and connects again whenever the connection is lost."""

from __future__ import annotations

import http.client
import math
import time
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlencode

from acp_client.api.connection import connection_to, in_words, within
from bus.backoff import Backoff
from bus.origin import Origin
from bus.sse import EventStreamParser, EventTooLarge, ServerSentEvent

FOR_EYES = {"frame_hz": "30"}
"""The query that asks weir to merge text deltas to at most 30 a second, as a person sees no more.
opencode ignores it."""
_READ_BYTES = 64 * 1024
_LEAST_RETRY_S = 0.1
_TRY_AGAIN = (429, 500, 502, 503, 504)


class StreamRefused(Exception):
    """The server has answered, but not with an event stream, so trying again is of no use."""


class EventStream:
    """Iterates over the events of one route, and connects again after each loss.

    After a loss, the stream waits (`Backoff`; at first as long as the server's ``retry:`` says),
    connects again, and sends the last event id, so that the server can continue after it.

    Args:
        server: the address of the server, and the login to send.
        path: the path of the route.
        query: the parameters of the query.
        silence_s: after so many silent seconds, the connection counts as lost; servers send a
            heartbeat every 10 s.
        answer_s: after so many seconds without an answer, the request is sent again: an opencode
            that has just started may never answer a request that came early.
        notice: called with the cause each time that the connection is lost.
        pause: the function that waits between two attempts, for the given seconds or less.
        longest_wait_s: the longest wait between two attempts.
    """

    def __init__(
        self,
        server: Origin,
        path: str = "/global/event",
        query: Mapping[str, str] | None = None,
        silence_s: float = 35.0,
        answer_s: float = 10.0,
        notice: Callable[[str], None] = lambda words: None,
        pause: Callable[[float], object] | None = None,
        longest_wait_s: float = math.inf,
    ) -> None:
        self._server = server
        self._target = server.target(path + (f"?{urlencode(query)}" if query else ""))
        self._silence_s = silence_s
        self._answer_s = min(answer_s, silence_s)
        self._notice = notice
        self._pause = pause
        self._last_event_id = ""
        self._retry_ms: int | None = None
        self._longest_wait_s = longest_wait_s
        self._backoff = Backoff()

    def __iter__(self) -> Iterator[ServerSentEvent]:
        """Yield the events of the stream; the iteration never ends by itself.

        Raises:
            StreamRefused: the server has answered with something that is no event stream.
        """
        while True:
            try:
                yield from self._connection()
                lost = "the server ended the stream"
            except (OSError, http.client.HTTPException, EventTooLarge) as error:
                lost = f"{self._server.authority} {in_words(error)}"
            wait_s = min(self._backoff.next_s(), self._longest_wait_s)
            self._notice(f"{lost}; trying again in {wait_s:.1f} s")
            (self._pause or time.sleep)(wait_s)

    def _connection(self) -> Iterator[ServerSentEvent]:
        connection = connection_to(self._server, self._answer_s)
        try:
            connection.connect()
            # `getresponse` may take the socket away from the connection; its timeout is set below.
            socket = connection.sock
            with within(socket, self._answer_s):
                connection.request("GET", self._target, headers=self._headers())
                response = connection.getresponse()
                self._check(response)
            socket.settimeout(self._silence_s)
            parser = EventStreamParser()
            parser.last_event_id = self._last_event_id
            while data := response.read1(_READ_BYTES):
                for event in parser.feed(data):
                    self._last_event_id = event.id
                    self._heed(parser.retry_ms)
                    yield event
        finally:
            connection.close()

    def _heed(self, retry_ms: int | None) -> None:
        """Begin the backoff anew after an event; its first wait is the server's ``retry:``."""
        if retry_ms is not None and retry_ms != self._retry_ms:
            self._retry_ms = retry_ms
            self._backoff = Backoff(max(retry_ms / 1000, _LEAST_RETRY_S))
        self._backoff.reset()

    def _headers(self) -> dict[str, str | bytes]:
        headers: dict[str, str | bytes] = {
            "Accept": "text/event-stream",
            "Cache-Control": "no-cache",
        }
        if self._last_event_id:
            headers["Last-Event-ID"] = self._last_event_id.encode()
        if self._server.login is not None:
            headers["Authorization"] = self._server.login.basic
        return headers

    def _check(self, response: http.client.HTTPResponse) -> None:
        kind = response.headers.get_content_type()
        if response.status == 200 and kind == "text/event-stream":
            return
        if response.status in _TRY_AGAIN:
            raise http.client.HTTPException(f"answers {response.status} {response.reason}")
        said = response.read(500).decode(errors="replace")
        asked = f"{self._server.authority}{self._target}"
        raise StreamRefused(
            f"{asked} answers {response.status} {response.reason} ({kind}) instead of an event "
            f"stream: {said}"
        )
