"""Splits a byte stream into lines: bytes in, lines out; the caller owns the pipe."""

from __future__ import annotations

from collections.abc import Iterator


class LineTooLong(ValueError):
    """A line is longer than the limit."""


class ByteLines:
    """Splits a stream at its line feeds.

    Args:
        longest: the limit of a line, in bytes; a longer line is dropped up to its end.
    """

    def __init__(self, longest: int = 256 * 1024 * 1024) -> None:
        self._longest = longest
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[bytes | LineTooLong]:
        """Take the next bytes; yield the lines that they complete, or an error for a long one."""
        first, *rest = data.split(b"\n")
        self._hold(first)
        for piece in rest:
            yield self._whole()
            self._hold(piece)

    def end(self) -> Iterator[bytes | LineTooLong]:
        """Yield the last line if it has no line feed."""
        if self._size:
            yield self._whole()

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._longest:
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def _whole(self) -> bytes | LineTooLong:
        line, size = b"".join(self._pieces), self._size
        self._pieces, self._size = [], 0
        if size > self._longest:
            return LineTooLong(f"a line of {size} bytes; allowed are {self._longest}")
        return line.removesuffix(b"\r")
