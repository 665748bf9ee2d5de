"""Decides when an answer is over; the caller passes the time (in seconds).

Rules:

1. Before its finish reason an answer may say nothing for `patience_s`. Comments and chunks without
   a word do not count: a provider can send these for ever.
2. After its finish reason an answer is whole. The provider still has `USAGE_S` to send the tokens;
   once these have come, `QUIET_S` to close. Both count from the last word, since a provider may
   send its finish reason too early.
3. Tokens that come later still count, until `LATE_S` after the last word.
"""

from __future__ import annotations

USAGE_S = 1.0
QUIET_S = 0.25
LATE_S = 8.0


class Ending:
    """The deadlines of one answer."""

    def __init__(self, patience_s: float, now: float) -> None:
        self._patience_s = patience_s
        self._words: object = None
        self._last = now
        self._finished = False
        self._counted = False

    def note(self, now: float, words: int, finished: bool, counted: bool) -> None:
        """Take how far the answer is.

        Args:
            now: the time.
            words: how many chunks have said something.
            finished: whether the finish reason has come.
            counted: whether the tokens have come since.
        """
        if self._words != (words, finished):
            self._words, self._last = (words, finished), now
        self._finished, self._counted = finished, counted

    def wait_s(self, now: float) -> float:
        """Return how long to wait for more; 0 or less once the answer is over."""
        if not self._finished:
            return self._last + self._patience_s - now
        return self._last + (QUIET_S if self._counted else USAGE_S) - now

    def late_s(self, now: float) -> float:
        """Return how long (s) to wait for token counts that are missing; 0 once they are there."""
        return 0.0 if self._counted else self._last + LATE_S - now
