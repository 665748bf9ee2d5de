"""The frames of an answer: bytes in, decoded JSON out; the caller owns the socket.

Rules:

1. A frame is the data of a server-sent event. If a data line is JSON by itself, no empty line is
   needed after it, since some providers only send one line feed.
2. Lines of JSON outside of events are frames too. At the end, one JSON document over several lines
   is a frame.
3. An error is the data of ``event: error``, or a line of its own ``error: …``.
4. Data that is not JSON is a frame whose value is the text, marked as garbled. But in an event
   with another name, such as a heartbeat, it is ignored.
5. The last line needs no line end: a provider may leave it out, and keep the connection open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from bus.depth import TooDeep
from bus.json import decode
from bus.sse import EventTooLarge, StreamLines
from processor.engines.chunk import Piece, plain

MAX_FRAME_BYTES = 16 * 1024 * 1024
DONE = "[DONE]"
_LINE_COST = 64  # memory of a short line
_ERROR = b"error"
_OF_ANSWERS = (b"", b"message")  # names of events with a piece of the answer
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ModelFrame(Struct, frozen=True):
    """One frame.

    Attributes:
        value: the decoded JSON; `DONE` if the provider marks the end.
        is_error: the provider marks it as an error.
        garbled: it is not JSON; `value` is its text.
    """

    value: Any
    is_error: bool = False
    garbled: bool = False


class ModelFraming:
    """Finds the frames of one answer."""

    def __init__(self) -> None:
        self._lines = StreamLines(MAX_FRAME_BYTES)
        self._event = b""
        # The data lines of an unfinished event, and the lines outside of events.
        self._data: list[bytes] = []
        self._stray: list[bytes] = []
        # The size of the lines in both lists, in bytes.
        self._held = 0
        # Whether bytes have arrived since `pause` last looked at the incomplete last line.
        self._is_fresh = False

    @property
    def stray(self) -> str:
        """Text outside of events that is not a frame."""
        return b"\n".join(self._stray).decode(errors="replace")

    def feed(self, data: bytes) -> Iterator[ModelFrame | list[Piece]]:
        """Take the next bytes; yield the frames that they complete, plain chunks as their content.

        Raises:
            EventTooLarge: a frame is larger than the limit.
        """
        self._is_fresh = True
        for line in self._lines.feed(data):
            outside = not (self._data or self._event)
            if outside and line[:5] == b"data:" and (pieces := plain(line[5:])) is not None:
                yield pieces
            elif line or not outside:
                yield from self._line(line.strip())

    def pause(self) -> Iterator[ModelFrame]:
        """Yield the frame in a last line without a line end, since no bytes come for now."""
        if not self._is_fresh:
            return
        self._is_fresh = False
        rest = self._lines.rest()
        line = rest.strip()
        name, _, value = line.partition(b":")
        is_data = name.lower() == b"data"
        text = value.strip() if is_data else b"\n".join([*self._stray, line])
        frame = _read(text, self._event == _ERROR) if line[-1:] in (b"}", b"]") else None
        if frame is None:
            self._lines.feed(rest)
            return
        if not is_data:
            self._stray = []
        yield frame

    def close(self) -> Iterator[ModelFrame]:
        """Yield the frames in the last lines, since no more bytes come."""
        yield from self._line(self._lines.rest().strip())
        yield from self._dispatch()
        frame = _read(b"\n".join(self._stray))
        if frame is not None:
            self._stray = []
            yield frame

    def _line(self, line: bytes) -> Iterator[ModelFrame]:
        line = line.removeprefix(_BYTE_ORDER_MARK)
        name, colon, value = line.partition(b":")
        name, value = name.lower(), value.strip()
        if not line:
            yield from self._dispatch()
        elif name == b"data":
            yield from self._data_line(value)
        elif name == b"event" and colon:
            self._event = value
        elif name == _ERROR and colon:
            yield _read(value, is_error=True) or ModelFrame(_text(value), is_error=True)
        elif name not in (b"", b"id", b"retry"):
            yield from self._stray_line(line)

    def _data_line(self, value: bytes) -> Iterator[ModelFrame]:
        while value[:5] == b"data:":  # a proxy may have put a second `data:` in front
            value = value[5:].strip()
        frame = None if self._data else _read(value, self._event == _ERROR)
        if frame is not None:
            yield frame
        elif value and self._event == _ERROR:
            yield ModelFrame(_text(value), is_error=True)
        elif value:
            self._hold(self._data, value)

    def _stray_line(self, line: bytes) -> Iterator[ModelFrame]:
        frame = _read(line) if not self._stray and line[:1] in b"{[" else None
        if frame is not None:
            yield frame
        else:
            self._hold(self._stray, line)

    def _dispatch(self) -> Iterator[ModelFrame]:
        lines, self._data = self._data, []
        event, self._event = self._event, b""
        self._held -= sum(len(line) + _LINE_COST for line in lines)
        whole = _read(b"\n".join(lines)) if lines else None
        if whole is not None:
            yield whole
        else:
            for line in lines:
                frame = _read(line)
                if frame is None and event not in _OF_ANSWERS and line[:1] not in b"{[":
                    self._hold(self._stray, line)
                else:
                    yield frame or ModelFrame(_text(line), garbled=True)
        if event == _ERROR:
            yield ModelFrame(None, is_error=True)

    def _hold(self, lines: list[bytes], line: bytes) -> None:
        self._held += len(line) + _LINE_COST
        if self._held > MAX_FRAME_BYTES:
            raise EventTooLarge(MAX_FRAME_BYTES)
        lines.append(line)


def _read(data: bytes, is_error: bool = False) -> ModelFrame | None:
    """Return the frame in `data`, None if it is not JSON."""
    if data.upper() == DONE.encode():
        return ModelFrame(DONE)
    try:
        return ModelFrame(decode(data), is_error)
    except TooDeep:
        return None
    except (ValueError, RecursionError):
        return _read_leniently(data, is_error)


def _read_leniently(data: bytes, is_error: bool) -> ModelFrame | None:
    """Accept control characters in text, any number, and bytes that `characters` joins."""
    text = data.decode(errors="surrogateescape")
    try:
        return ModelFrame(json.loads(text, strict=False, parse_int=_number), is_error)
    except (ValueError, RecursionError):
        return None


def _number(digits: str) -> int | float:
    """Convert the digits of a JSON integer; a long one becomes a float.

    `int` raises an error for more than 4,300 digits.
    """
    return int(digits) if len(digits) < 20 else float(digits)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
