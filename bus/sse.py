"""Reading ``text/event-stream``: bytes in, events out, the caller owns the socket.

As the HTML standard has it, for the fields that agent servers use: ``data``, ``event``, ``id``
and ``retry``; line ends are LF, CRLF or CR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

_LINE_END = re.compile(rb"\r\n|\n|\r")


class ServerSentEvent(Struct):
    """One dispatched event: its data lines joined with LF, and the last id seen so far."""

    data: bytes
    event: str = "message"
    id: str = ""


class EventTooLarge(ValueError):
    """An event is larger than the parser was told to hold."""


class EventStreamParser:
    """Takes the bytes of a stream in any pieces.

    Args:
        max_event_bytes: the largest event; a larger one raises `EventTooLarge`.
    """

    def __init__(self, max_event_bytes: int = 512 * 1024 * 1024) -> None:
        self.last_event_id = ""
        self.retry_ms: int | None = None
        self._max = max_event_bytes
        self._tail = b""
        self._pieces: list[bytes] = []
        self._held = 0
        self._data: list[bytes] = []
        self._event = "message"

    def feed(self, data: bytes) -> Iterator[ServerSentEvent]:
        """Take the next bytes; yield the events they complete.

        Raises:
            EventTooLarge: what is held without an end is over the limit.
        """
        for line in self._lines(data):
            if line:
                self._field(line)
            elif self._data:
                yield self._dispatch()
            else:
                self._event = "message"

    def _lines(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, and keep what comes after the last end."""
        if b"\n" not in data and b"\r" not in data:
            self._hold(data)
            return []
        whole = b"".join([*self._pieces, data])
        self._pieces, self._held = [], 0
        # A CR at the very end may be the first half of a CRLF.
        held_cr = whole.endswith(b"\r")
        lines = whole[:-1].split(b"\n") if held_cr else whole.split(b"\n")
        if b"\r" in whole:
            lines = _LINE_END.split(whole[:-1] if held_cr else whole)
        rest = lines.pop()
        self._hold(rest + b"\r" if held_cr else rest)
        return lines

    def _hold(self, piece: bytes) -> None:
        if not piece:
            return
        self._held += len(piece)
        if self._held > self._max:
            raise EventTooLarge(f"an event is larger than {self._max} bytes")
        self._pieces.append(piece)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self.last_event_id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit():
            self.retry_ms = int(value)

    def _dispatch(self) -> ServerSentEvent:
        event = ServerSentEvent(b"\n".join(self._data), self._event, self.last_event_id)
        self._data, self._event = [], "message"
        return event
