"""What a reader of a stream gets, kept event by event while a test does something else."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from bus.sse import EventStreamParser

Event = dict[str, Any]
DEADLINE_S = 120.0
_ATTEMPTS, _HEARD_S = 20, 1.0


class Collector:
    """One reader, in a thread of its own; a context manager.

    Args:
        url: of a server.
        directory: follow ``/event`` of this folder; None: ``/global/event``.

    Attributes:
        raw: the data of every event so far, as it came.
        events: ``{"type", "properties", …}`` of every event so far, without the global wrapping.
        over: why the stream has ended; empty while it has not.
    """

    def __init__(self, url: str, directory: str | None = None) -> None:
        self.raw: list[bytes] = []
        self.events: list[Event] = []
        self.over = ""
        self._path = "/global/event"
        if directory is not None:
            self._path = f"/event?directory={quote(directory)}"
        self._news = threading.Condition()
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, DEADLINE_S)
        self._thread = threading.Thread(target=self._collect, daemon=True)

    def __enter__(self) -> "Collector":
        self._connection.connect()
        # The connection gives its socket up to the answer; a thread that reads is ended by it.
        self._socket = self._connection.sock
        self._thread.start()
        self.first("server.connected")
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()

    def attached(self, make: Callable[[], str]) -> "Collector":
        """Wait until what happens is told here; `make` makes a session and returns its id.

        opencode's ``/global/event`` says ``server.connected`` before it listens: what happens
        just after is lost.
        """
        made: set[str] = set()
        for _ in range(_ATTEMPTS):
            made.add(make())
            with contextlib.suppress(TimeoutError):
                self.until(_creation_of(made), deadline_s=_HEARD_S)
                return self
        raise TimeoutError(f"{self._path}: no session was told; {self._told()}")

    def first(self, kind: str, session: str | None = None, count: int = 1) -> Event:
        """Wait for the first event of a type, or the `count`-th, of a session if one is given."""

        def wanted(event: Event) -> bool:
            return event["type"] == kind and (
                session is None or event["properties"].get("sessionID") == session
            )

        return self.until(wanted, count)

    def until(
        self, wanted: Callable[[Event], bool], count: int = 1, deadline_s: float = DEADLINE_S
    ) -> Event:
        """Wait until `count` events are `wanted`; return the last of them.

        Raises:
            TimeoutError: there are not so many within `deadline_s`.
            EOFError: the stream has ended without.
        """
        end, looked_at = time.monotonic() + deadline_s, 0
        with self._news:
            while True:
                for event in self.events[looked_at:]:
                    count -= wanted(event)
                    if count == 0:
                        return event
                looked_at = len(self.events)
                if self.over:
                    raise EOFError(f"{self._path}: {self.over}; {self._told()}")
                if not self._news.wait(end - time.monotonic()):
                    raise TimeoutError(f"{self._path}: not within {deadline_s} s; {self._told()}")

    def _told(self) -> str:
        return f"last: {[event['type'] for event in self.events[-12:]]}"

    def _collect(self) -> None:
        try:
            self._connection.request("GET", self._path, headers={"Accept": "text/event-stream"})
            response = self._connection.getresponse()
            if response.status != 200:
                self._end(f"status {response.status}: {response.read()!r}")
                return
            parser = EventStreamParser()
            while data := response.read1(1 << 16):
                self._take([event.data for event in parser.feed(data)])
            self._end("a clean end")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._end(f"{type(error).__name__}: {error}")

    def _take(self, raw: list[bytes]) -> None:
        decoded = [json.loads(data) for data in raw]
        with self._news:
            self.raw += raw
            self.events += [wire.get("payload", wire) for wire in decoded]
            self._news.notify_all()

    def _end(self, why: str) -> None:
        with self._news:
            self.over = why
            self._news.notify_all()


def _creation_of(sessions: set[str]) -> Callable[[Event], bool]:
    def wanted(event: Event) -> bool:
        return event["type"] == "session.created" and event["properties"]["info"]["id"] in sessions

    return wanted
