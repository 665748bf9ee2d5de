"""Finds the ends of WebSocket frames in a stream of bytes (RFC 6455, 5.2), without I/O.

The proxy passes WebSocket frames on as bytes. It may only send a close frame of its own where a
frame has ended, not inside of a frame.
"""

from __future__ import annotations

import struct

GOING_AWAY = 1001
_CLOSE = 0x88  # the first byte of a close frame: FIN bit, opcode 8
_MASKED, _LENGTH = 0x80, 0x7F
_MASK_BYTES = 4
_EXTENDED = {126: struct.Struct("!H"), 127: struct.Struct("!Q")}
"""The format of a frame's length that does not fit in 7 bits, by the value in these 7 bits."""


class FrameBoundary:
    """Follows the bytes of one direction of a WebSocket, and knows whether a frame has ended."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    @property
    def reached(self) -> bool:
        """Whether a frame ends with the last byte so far, so that another frame may be sent."""
        return not self._head and not self._left

    def feed(self, data: bytes) -> None:
        """Follow the next bytes, which may begin and end anywhere in a frame."""
        data = self._head + data if self._head else data
        at = self._left
        while at + 2 <= len(data):
            end = _end_of_frame(data, at)
            if end is None:
                break
            at = end
        self._head = data[at:]
        self._left = max(0, at - len(data))


def close_frame(code: int) -> bytes:
    """Return the frame with which a server ends a WebSocket, for a status code (RFC 6455, 7.4)."""
    return bytes((_CLOSE, 2)) + code.to_bytes(2, "big")


def _end_of_frame(data: bytes, at: int) -> int | None:
    """Return where the frame that begins at `at` ends; None if `data` lacks its length field."""
    length = data[at + 1] & _LENGTH
    head = 2 + (_MASK_BYTES if data[at + 1] & _MASKED else 0)
    extended = _EXTENDED.get(length)
    if extended is None:
        return at + head + length
    if at + 2 + extended.size > len(data):
        return None
    return at + head + extended.size + int(extended.unpack_from(data, at + 2)[0])
