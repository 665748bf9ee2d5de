"""The current time in milliseconds, as opencode's JSON has it."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def not_before(time_ms: int) -> int:
    """Return `now_ms`, or `time_ms` if the clock has gone back before it."""
    return max(time_ms, now_ms())
