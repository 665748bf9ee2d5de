"""The events of one stream, each with the time at which it arrived."""

from __future__ import annotations

import http.client
import threading
import time
import zlib
from typing import Any

from msgspec import Struct

from bus import json
from bus.sse import EventStreamParser
from deploy.doctor.finding import duration
from deploy.doctor.patient import CLIENT_ERRORS, PatientAnswer

_READ_BYTES = 64 * 1024
_COMPRESSED = ("gzip", "x-gzip", "deflate")
_ANY_WINDOW = 47


class Arrival(Struct):
    """One event.

    Attributes:
        at_s: when it arrived, since the head of the answer.
        type: of the event.
        properties: of the event.
        id: the last event id of the stream at that time.
    """

    at_s: float
    type: str
    properties: dict[str, Any]
    id: str


class Timeline:
    """Reads one stream, in a thread of its own, until it is closed.

    Attributes:
        arrivals: the events so far.
        ended: how and when the stream ended, in words; empty while it is open.
    """

    def __init__(self, answer: PatientAnswer) -> None:
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
        """Close the stream."""
        self._answer.hang_up()
        self._reader.join()
        self._answer.close()

    def wait(self, kind: str = "", by_s: float = 0.0) -> Arrival | None:
        """Wait for the first event of a type; None if none comes in time or the stream ends.

        Args:
            kind: the type; empty for any.
            by_s: until when, since the head of the answer.
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
            ended = "the server ends it"
        except http.client.IncompleteRead:
            ended = "it is cut"
        except (*CLIENT_ERRORS, zlib.error) as error:
            ended = f"it is cut ({str(error) or type(error).__name__})"
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
