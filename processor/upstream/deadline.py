"""The deadline of a connection that sends nothing."""

from __future__ import annotations

import time
from types import TracebackType

import gevent

# A timer costs much beside the rest of an event: it is set anew ten times a deadline at most.
_GRAIN = 0.1


class Deadline:
    """Raises in the greenlet that entered it, when it was not put off for long enough.

    Args:
        after_s: how long; it may come a tenth earlier.
        error: what is raised.
    """

    def __init__(self, after_s: float, error: Exception) -> None:
        self._after_s = after_s
        self._error = error

    def __enter__(self) -> Deadline:
        """Begin to count."""
        self._set_at = time.monotonic()
        self._timer = gevent.Timeout.start_new(self._after_s, self._error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop to count."""
        self._timer.close()

    def put_off(self) -> None:
        """Begin to count again."""
        if time.monotonic() - self._set_at > self._after_s * _GRAIN:
            self._timer.close()
            self.__enter__()
