"""Decides when the progress of a running tool call is published."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

from processor.native.record import Record

EVERY_S = 0.1
INPUT_BYTES = 30_000
"""Each event has the input of its call: with an input of this size, events come half as often."""


class Progress:
    """Publishes the progress of a call soon after each change, but at most ten times a second.

    Args:
        record: publishes the events of the session.
        publish: publishes the present state of the call.

    Attributes:
        input_bytes: the size of the call's input, which each event has.
    """

    def __init__(self, record: Record, publish: Callable[[], None]) -> None:
        self.input_bytes = 0
        self._record = record
        self._publish = publish
        self._published_at = float("-inf")
        self._due: gevent.Greenlet[[], None] | None = None

    def changed(self) -> None:
        """Publish the state soon."""
        if self._due is None:
            every_s = EVERY_S * (1 + self.input_bytes / INPUT_BYTES)
            wait_s = max(0.0, self._published_at + every_s - time.monotonic())
            self._due = gevent.spawn_later(wait_s, self._run)

    def end(self) -> None:
        """Publish nothing more."""
        if self._due is not None:
            self._due.kill(block=False)

    def _run(self) -> None:
        # If the store is slow, wait with the next event: events that wait for it take memory.
        while self._record.is_behind:
            gevent.sleep(EVERY_S)
        self._due = None
        self._published_at = time.monotonic()
        self._publish()
