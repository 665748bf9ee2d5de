"""Epochs: a name for each start of a processor, which contains the time of the start."""

from __future__ import annotations

import secrets
import time

_RANDOM_DIGITS = 4


def new_epoch() -> str:
    """Return a name for one start of a processor; later starts sort later."""
    return f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(_RANDOM_DIGITS // 2)}"


def started_ms(epoch: str) -> int:
    """Return when an epoch began, in ms since the Unix epoch; 0 if its name does not say."""
    try:
        return int(epoch[:-_RANDOM_DIGITS], 16)
    except ValueError:
        return 0
