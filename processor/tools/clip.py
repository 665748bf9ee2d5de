"""Cuts long output: the beginning and the end stay, and a note says where the whole is.

It imports the standard library alone: the program that runs a command uses it too.
"""

from __future__ import annotations

MOST_BYTES = 50 * 1024
"""Of one tool's output in a part; longer output goes to a spool file."""
END_BYTES = 24 * 1024
"""Of the beginning, and of the end, of output that is cut."""
SHOWN_CHARACTERS = 30_000
"""Of a running snapshot, as in an opencode."""
TAIL_BYTES = 4 * SHOWN_CHARACTERS
"""What holds the last `SHOWN_CHARACTERS` in any case: a character has 4 bytes at most."""


def text_of(data: bytes) -> str:
    """Return bytes as text; what is not UTF-8, also a character that is cut, is replaced."""
    return data.decode(errors="replace")


def beginning(data: bytes) -> str:
    """Return the first `END_BYTES` as text, without a character that is cut."""
    end = min(END_BYTES, len(data))
    while end < len(data) and end > 0 and data[end] & 0xC0 == 0x80:
        end -= 1
    return text_of(data[:end])


def ending(data: bytes) -> str:
    """Return the last `END_BYTES` as text, without a character that is cut."""
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
    """Return what the model gets of output that is cut.

    Args:
        head: the beginning.
        tail: the end.
        total: bytes of the whole.
        where: says where the whole is, or why it is nowhere.
    """
    left_out = total - len(head.encode()) - len(tail.encode())
    return (
        f"{head}\n\n...output truncated: {left_out} of {total} bytes are left out here...\n\n"
        f"{where}\n\n{tail}"
    )
