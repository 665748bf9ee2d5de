"""Ids in opencode's form: they ascend in the order in which they are made.

The order holds when the clock goes back. It also holds across restarts, if `Ids.follow` is called
with the latest earlier id. A client sorts messages and parts by their ids, whichever program made
the ids.

Form: ``PREFIX_`` + 12 hex digits of (ms * 4096 + counter), cut to 48 bits, + 14 random base-62
characters. Session ids use the complement, so that the newest session sorts first. The 48 bits
wrap about every 795 days, as opencode's do. So ids are used to order the parts of a message, and
never to order events.
"""

from __future__ import annotations

import os
import re
import time

from gevent.monkey import get_original

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Maps a byte to a digit. The first few digits are slightly more frequent; ids are no secrets, so
# this does no harm.
_BASE62 = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))
_PER_MS = 0x1000
_MASK = (1 << 48) - 1
_RANDOM_LENGTH = 14
_FORM = re.compile(r"([a-z]+)_([0-9a-f]{12})[0-9A-Za-z]{14}")
_DESCENDING = "ses"
_WRAP_MS = (_MASK + 1) // _PER_MS
_HALF = (_MASK + 1) // 2
DAY_MS = 86_400_000


class Ids:
    """Makes ids that never repeat and never descend, even when the clock goes back."""

    def __init__(self) -> None:
        self._last = 0
        # A native lock: the lock of gevent would cost more than the rest of making an id, and this
        # lock is only held for an addition.
        self._lock = get_original("_thread", "allocate_lock")()

    def ascending(self, prefix: str) -> str:
        """Return a new id that sorts after every earlier id with the same prefix."""
        return f"{prefix}_{self._tick() & _MASK:012x}{_random()}"

    def descending(self, prefix: str) -> str:
        """Return a new id that sorts before every earlier id with the same prefix."""
        return f"{prefix}_{~self._tick() & _MASK:012x}{_random()}"

    def follow(self, made: str, most_ms: int | None = DAY_MS) -> None:
        """Make later ids sort after an id that another process or a client has made.

        Args:
            made: the id; an id of another form is ignored.
            most_ms: ignore an id that is further ahead of the clock than this; None: half of the
                period after which ids wrap, the most that an id can express.
        """
        match = _FORM.fullmatch(made)
        if match is None:
            return
        tick = int(match[2], 16) ^ (_MASK if match[1] == _DESCENDING else 0)
        with self._lock:
            now = _now()
            ahead = (tick - now) & _MASK
            if ahead < (_HALF if most_ms is None else most_ms * _PER_MS):
                self._last = max(self._last, now + ahead)

    def _tick(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 1_000_000 * _PER_MS)
            return self._last


def made_ms(ascending: str, about_ms: int) -> int | None:
    """Return when an id was made (ms since the Unix epoch), None if the id has another form.

    Args:
        ascending: the id.
        about_ms: a time that is less than a year away from the result.
    """
    match = _FORM.fullmatch(ascending)
    if match is None:
        return None
    ahead_ms = (int(match[2], 16) // _PER_MS - about_ms) % _WRAP_MS
    return about_ms + (ahead_ms if ahead_ms < _WRAP_MS // 2 else ahead_ms - _WRAP_MS)


def _now() -> int:
    return time.time_ns() // 1_000_000 * _PER_MS


def _random() -> str:
    return os.urandom(_RANDOM_LENGTH).translate(_BASE62).decode()
