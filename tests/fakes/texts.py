"""What the scripted provider's deltas say."""

import re
import time

DEFAULT_SIZE = 40


def numbered(n: int, size: int = DEFAULT_SIZE) -> list[str]:
    """The texts of `n` deltas: ``0000017|xxxx`` and a space; at least 9 characters each."""
    filling = "x" * (size - 9) + " "
    return [f"{i:07d}|{filling}" for i in range(n)]


def stamped(i: int, size: int = DEFAULT_SIZE) -> str:
    """The text of delta `i` with `time.monotonic_ns()` of now: ``0000017|<ns>|xxxx``, a space."""
    return f"{i:07d}|{time.monotonic_ns():019d}|".ljust(size - 1, "x") + " "


def words(text: str) -> list[str]:
    """The pieces of an echo: a word with the white space behind it."""
    return re.findall(r"\s+|\S+\s*", text)
