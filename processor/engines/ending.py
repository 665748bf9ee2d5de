"""Decides when an answer is over; the caller passes the time (in seconds).

Rules:

1. Before its finish reason, an answer may go without output for `patience_s`. Comments and chunks
   without output do not count as output: a provider can send these for ever.
2. After its finish reason an answer is complete. The provider still has `USAGE_S` to send the
   token counts, and after the counts `QUIET_S` to close. Both count from the last output, since a
   provider may send its finish reason too early.
3. Later token counts are still accepted, until `LATE_S` after the last output.
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
        """Record the progress of the answer.

        Args:
            now: the time.
            words: how many chunks had output.
            finished: the finish reason has come.
            counted: the token counts have come.
        """
        if self._words != (words, finished):
            self._words, self._last = (words, finished), now
        self._finished, self._counted = finished, counted

    def wait_s(self, now: float) -> float:
        """Return how long to wait for more bytes; 0 or less if the answer is over."""
        if not self._finished:
            return self._last + self._patience_s - now
        return self._last + (QUIET_S if self._counted else USAGE_S) - now

    def late_s(self, now: float) -> float:
        """Return how long (s) to wait for missing token counts; 0 if they have come."""
        return 0.0 if self._counted else self._last + LATE_S - now
