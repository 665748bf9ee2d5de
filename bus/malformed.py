"""The exceptions that msgspec raises for bytes that it cannot decode; some are Python's own."""

from __future__ import annotations

import msgspec

MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def worth_a_line(count: int) -> bool:
    """Return whether to log problem number `count` of a kind: numbers 1, 10, 100, … are logged."""
    return str(count).strip("0") == "1"
