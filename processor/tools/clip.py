"""Cuts long output: keeps the beginning and the end, and names the file with the whole output.

This module only imports the standard library, since `processor.tools.runner` uses it: a program
that must start quickly.
"""

from __future__ import annotations

MOST_BYTES = 50 * 1024
"""The most bytes of output of one tool call in an event; longer output goes to a spool file."""
END_BYTES = 24 * 1024
"""The length of the beginning, and also of the end, that are kept of output that is cut."""
SHOWN_CHARACTERS = 30_000
"""While a tool runs, clients see the last characters of its output: this many, as in opencode."""
TAIL_BYTES = 4 * SHOWN_CHARACTERS
"""Enough bytes for the last `SHOWN_CHARACTERS`: a character has at most 4 bytes in UTF-8."""


def text_of(data: bytes) -> str:
    """Return bytes as text; bytes that are not UTF-8 become U+FFFD (the replacement character)."""
    return data.decode(errors="replace")


def beginning(data: bytes) -> str:
    """Return the first `END_BYTES` of output as text, without an incomplete character."""
    end = min(END_BYTES, len(data))
    while end < len(data) and end > 0 and data[end] & 0xC0 == 0x80:
        end -= 1
    return text_of(data[:end])


def ending(data: bytes) -> str:
    """Return the last `END_BYTES` of output as text, without an incomplete character."""
    start = max(0, len(data) - END_BYTES)
    while 0 < start < len(data) and data[start] & 0xC0 == 0x80:
        start += 1
    return text_of(data[start:])


def shown(data: bytes) -> str:
    """Return the last `SHOWN_CHARACTERS` of output, which clients show while a tool runs."""
    start = max(0, len(data) - TAIL_BYTES)
    while 0 < start < len(data) and data[start] & 0xC0 == 0x80:
        start += 1
    return text_of(data[start:])[-SHOWN_CHARACTERS:]


def joined(head: str, tail: str, total: int, where: str) -> str:
    """Return the text that the model reads in place of output that is too long.

    Args:
        head: the beginning of the output.
        tail: the end of the output.
        total: the size of the whole output in bytes.
        where: a line that names the file with the whole output, or says why there is no file.
    """
    left_out = total - len(head.encode()) - len(tail.encode())
    return (
        f"{head}\n\n...output truncated: {left_out} of {total} bytes are left out here...\n\n"
        f"{where}\n\n{tail}"
    )
