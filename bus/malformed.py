"""The exceptions that msgspec raises for bytes that it cannot decode; some are Python's own."""

from __future__ import annotations

import msgspec

MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def worth_a_line(count: int) -> bool:
    """Tell whether the log needs a line for number `count` of a kind: 1, 10, 100, …"""
    return str(count).strip("0") == "1"
