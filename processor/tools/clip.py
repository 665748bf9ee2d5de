"""Cuts long output: the beginning and the end stay, and a note names the file with all of it.

It only imports the standard library, since the program that runs a command uses it too.
"""

from __future__ import annotations

MOST_BYTES = 50 * 1024
"""Of one tool's output in a part; longer output is written to a spool file."""
END_BYTES = 24 * 1024
"""Of the beginning and of the end of output that is cut."""
SHOWN_CHARACTERS = 30_000
"""Of a running tool's snapshot, as in opencode."""
TAIL_BYTES = 4 * SHOWN_CHARACTERS
"""Enough for the last `SHOWN_CHARACTERS`: a character has at most 4 bytes."""


def text_of(data: bytes) -> str:
    """Return bytes as text; bytes that are not UTF-8, even of a cut character, are replaced."""
    return data.decode(errors="replace")


def beginning(data: bytes) -> str:
    """Return the first `END_BYTES` as text, without an incomplete character."""
    end = min(END_BYTES, len(data))
    while end < len(data) and end > 0 and data[end] & 0xC0 == 0x80:
        end -= 1
    return text_of(data[:end])


def ending(data: bytes) -> str:
    """Return the last `END_BYTES` as text, without an incomplete character."""
    start = max(0, len(data) - END_BYTES)
    while 0 < start < len(data) and data[start] & 0xC0 == 0x80:
        start += 1
    return text_of(data[start:])


def shown(data: bytes) -> str:
    """Return the last `SHOWN_CHARACTERS` as text."""
    start = max(0, len(data) - TAIL_BYTES)
    while 0 < start < len(data) and data[start] & 0xC0 == 0x80:
        start += 1
    return text_of(data[start:])[-SHOWN_CHARACTERS:]


def joined(head: str, tail: str, total: int, where: str) -> str:
    """Return the text for the model for output that is cut.

    Args:
        head: the beginning.
        tail: the end.
        total: bytes of all output.
        where: names the file with all output, or says why there is none.
    """
    left_out = total - len(head.encode()) - len(tail.encode())
    return (
        f"{head}\n\n...output truncated: {left_out} of {total} bytes are left out here...\n\n"
        f"{where}\n\n{tail}"
    )
