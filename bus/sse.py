"""Parses ``text/event-stream``: bytes in, events out; the caller owns the socket.

Follows the HTML standard for the fields that agent servers use: ``data``, ``event``, ``id`` and
``retry``. Line ends are LF, CRLF or CR, and a byte order mark may come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_RETRY = re.compile(rb"[0-9]{1,9}")
_LONGEST_NAME = len(b"data: ")


class ServerSentEvent(Struct):
    """One event: its data lines joined with LF, and the last id of the stream so far."""

    data: bytes
    event: str = "message"
    id: str = ""


class EventTooLarge(ValueError):
    """An event is larger than the parser's limit."""

    def __init__(self, most: int) -> None:
        super().__init__(f"an event is larger than {most} bytes")


class StreamLines:
    """Splits the bytes of a stream into lines, and removes a byte order mark at the start.

    Args:
        max_bytes: of a line, without the name of its field.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._held = bytearray()
        self._after_cr = False
        self._begun = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, and keep the bytes after the last line end.

        Raises:
            EventTooLarge: an unfinished line is larger than the limit.
        """
        if self._after_cr and data:
            data = data.removeprefix(b"\n")  # the other half of a CRLF
            self._after_cr = False
        if b"\n" not in data and b"\r" not in data:
            self._hold(data)
            return []
        whole = data
        if self._held:
            self._held += data
            whole, self._held = bytes(self._held), bytearray()
        self._after_cr = whole.endswith(b"\r")
        lines = _LINE_END.split(whole) if b"\r" in whole else whole.split(b"\n")
        if rest := lines.pop():
            self._hold(rest)
        if not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        return lines

    def rest(self) -> bytes:
        """Return the bytes after the last line end, and drop them."""
        rest, self._held = bytes(self._held), bytearray()
        return rest if self._begun else rest.removeprefix(_BYTE_ORDER_MARK)

    def _hold(self, piece: bytes) -> None:
        self._held += piece
        if len(self._held) - _LONGEST_NAME > self._max:
            raise EventTooLarge(self._max)


class EventStreamParser:
    """Parses a stream from pieces of any size.

    Args:
        max_event_bytes: the size limit of an event; a larger event raises `EventTooLarge`.
    """

    def __init__(self, max_event_bytes: int = 256 * 1024 * 1024) -> None:
        self.last_event_id = ""
        self.retry_ms: int | None = None
        self._max = max_event_bytes
        self._lines = StreamLines(max_event_bytes)
        # Joined line by line: a list of very short lines would take many times their size.
        self._data: bytes | bytearray | None = None
        self._event = "message"

    def feed(self, data: bytes) -> Iterator[ServerSentEvent]:
        """Take the next bytes, and yield the events that they complete.

        Raises:
            EventTooLarge: an event, or an unfinished line, is larger than the limit.
        """
        for line in self._lines.feed(data):
            if line:
                self._field(line)
            elif self._data is not None:
                yield self._dispatch()
            else:
                self._event = "message"

    def _field(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._take(line[6:] if line[5:6] == b" " else line[5:])
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._take(value)
        elif name == b"event":
            self._event = value.decode(errors="replace") or "message"
        elif name == b"id" and b"\0" not in value:
            self.last_event_id = value.decode(errors="replace")
        elif name == b"retry" and _RETRY.fullmatch(value):
            self.retry_ms = int(value)

    def _take(self, value: bytes) -> None:
        held = self._data
        if len(value) + (0 if held is None else len(held) + 1) > self._max:
            raise EventTooLarge(self._max)
        if held is None:
            self._data = value
            return
        if isinstance(held, bytes):
            held = self._data = bytearray(held)
        held += b"\n"
        held += value

    def _dispatch(self) -> ServerSentEvent:
        event = ServerSentEvent(bytes(self._data or b""), self._event, self.last_event_id)
        self._data, self._event = None, "message"
        return event
