"""Splits a stream of bytes into lines. No I/O: the caller reads the bytes."""

from __future__ import annotations

from collections.abc import Iterator


class LineTooLong(ValueError):
    """Stands for a line that was dropped, because it is longer than the limit."""


class ByteLines:
    """Splits a stream of bytes at its line feeds.

    Args:
        longest: the limit for one line in bytes. A longer line is dropped, so that memory is
            bounded, and the lines after it are read as usual.
    """

    def __init__(self, longest: int = 256 * 1024 * 1024) -> None:
        self._longest = longest
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[bytes | LineTooLong]:
        """Take the next bytes, and yield each line that is complete now.

        `LineTooLong` is yielded in place of a line over the limit.
        """
        first, *rest = data.split(b"\n")
        self._hold(first)
        for piece in rest:
            yield self._whole()
            self._hold(piece)

    def end(self) -> Iterator[bytes | LineTooLong]:
        """Yield the last line at the end of the stream, if no line feed follows it."""
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
            return LineTooLong(
                f"a line of {size} bytes is too long; at most {self._longest} bytes are allowed"
            )
        return line.removesuffix(b"\r")
