"""Reads one event stream, and notes at which time each event arrived."""

from __future__ import annotations

import http.client
import threading
import time
import zlib
from typing import Any

from msgspec import Struct

from bus import json
from bus.sse import EventStreamParser
from deploy.doctor.examined_server import CLIENT_ERRORS, ExaminedAnswer
from deploy.doctor.finding import duration

_READ_BYTES = 64 * 1024
_COMPRESSED = ("gzip", "x-gzip", "deflate")
_ANY_WINDOW = 47


class Arrival(Struct):
    """One event that has arrived.

    Attributes:
        at_s: when the event arrived, in seconds since the headers of the stream.
        type: the type of the event, for example ``server.heartbeat``; ``?`` if it is no JSON.
        properties: the properties of the event.
        id: the id with which a client would resume the stream after this event; may be empty.
    """

    at_s: float
    type: str
    properties: dict[str, Any]
    id: str


class Timeline:
    """Reads one event stream in a thread of its own, until `close` is called.

    Attributes:
        arrivals: the events that have arrived so far.
        ended: how and when the stream ended, as text; empty while the stream is open.
    """

    def __init__(self, answer: ExaminedAnswer) -> None:
        self.arrivals: list[Arrival] = []
        self.ended = ""
        self._answer = answer
        self._began = time.monotonic()
        self._parser = EventStreamParser()
        self._unpack = None
        if answer.headers.get("Content-Encoding", "").lower() in _COMPRESSED:
            self._unpack = zlib.decompressobj(_ANY_WINDOW)
        self._news = threading.Condition()
        answer.wait_for_ever()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Close the stream, and wait until the thread that reads it has ended."""
        self._answer.hang_up()
        self._reader.join()
        self._answer.close()

    def wait(self, kind: str = "", by_s: float = 0.0) -> Arrival | None:
        """Return the first event of a type, and wait for it; None if no such event arrives.

        Args:
            kind: the type of the event; empty: any type.
            by_s: how long to wait, in seconds since the headers of the stream.
        """

        def found() -> Arrival | None:
            return next((one for one in self.arrivals if kind in ("", one.type)), None)

        with self._news:
            left = by_s - (time.monotonic() - self._began)
            self._news.wait_for(lambda: found() or self.ended, max(left, 0))
            return found()

    def _read(self) -> None:
        try:
            while data := self._answer.response.read1(_READ_BYTES):
                self._take(time.monotonic() - self._began, data)
            ended = "the server ends the stream"
        except http.client.IncompleteRead:
            ended = "the connection is cut"
        except (*CLIENT_ERRORS, zlib.error) as error:
            ended = f"the connection is cut ({str(error) or type(error).__name__})"
        with self._news:
            self.ended = f"{ended} after {duration(time.monotonic() - self._began)}"
            self._news.notify_all()

    def _take(self, at_s: float, data: bytes) -> None:
        data = self._unpack.decompress(data) if self._unpack else data
        with self._news:
            for event in self._parser.feed(data):
                self.arrivals.append(_arrival(at_s, event.data, event.id))
            self._news.notify_all()


def _arrival(at_s: float, data: bytes, event_id: str) -> Arrival:
    try:
        wire = json.decode(data)
        kind, properties = wire["type"], wire.get("properties")
    except (ValueError, TypeError, KeyError):
        kind, properties = "?", None
    return Arrival(at_s, str(kind), properties if isinstance(properties, dict) else {}, event_id)
