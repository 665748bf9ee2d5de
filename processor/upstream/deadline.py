"""A deadline for a connection that sends nothing."""

from __future__ import annotations

import time
from types import TracebackType

import gevent

# Setting a timer is expensive compared with the other work on an event, so the timer is set at
# most ten times in the length of the deadline.
_GRAIN = 0.1


class SilenceDeadline:
    """Raises an error in the greenlet that entered the block, unless `put_off` is called in time.

    Args:
        after_s: length of the deadline; the error may come up to a tenth earlier.
        error: the error to raise.
    """

    def __init__(self, after_s: float, error: Exception) -> None:
        self._after_s = after_s
        self._error = error

    def __enter__(self) -> SilenceDeadline:
        """Start the deadline."""
        self._set_at = time.monotonic()
        self._timer = gevent.Timeout.start_new(self._after_s, self._error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the deadline."""
        self._timer.close()

    def put_off(self) -> None:
        """Start the deadline again."""
        if time.monotonic() - self._set_at > self._after_s * _GRAIN:
            self._timer.close()
            self.__enter__()
