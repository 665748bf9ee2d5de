"""All open streams of a worker: who they are, and when they are woken."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import gevent
from gevent.event import Event

from gateway.connection import Connection
from gateway.counts import Sent, total
from gateway.evictions import Cause, none_yet
from gateway.relay import Cursor, Entrance, Relay, Verdict, View, enter, enter_at, stands_at
from gateway.relay.pacing import pause_after

_WOKEN_AT_ONCE = 32
_AHEAD_S = 2.0
_AHEAD_CHECK_S = 0.05


class TooManyReaders(Exception):
    """The worker holds as many streams as it is allowed to, or is closing."""


class Reader:
    """One open stream.

    Attributes:
        view: what it gets, and in which form.
        last_id: the last it has seen of an earlier stream; None if it begins.
        cursor: where it stands.
        resumed: it goes on exactly where that stream was cut; None while it is not known.
        connection: its socket; None under a test client.
        left: why it is over, once it is.
        opened_at: `time.monotonic()` of its beginning.
        sent: what it was sent so far.
        stalled_s: for how long it has accepted nothing of what waits for it, as of the last look.
    """

    def __init__(self, view: View, last_id: str | None, cursor: Cursor) -> None:
        self.view = view
        self.last_id = last_id
        self.cursor = cursor
        self.resumed: bool | None = None
        self.connection: Connection | None = None
        self.left: Cause | None = None
        self.opened_at = time.monotonic()
        self.sent = Sent()
        self.stalled_s = 0.0
        self.wake = Event()

    @property
    def gone(self) -> bool:
        """Whether it is over: nothing more is to be written."""
        return self.left is not None

    def leave(self, cause: Cause) -> None:
        """End the stream by a reset, wherever it waits; does not block."""
        if self.left is not None:
            return
        self.left = cause
        self.wake.set()
        if self.connection is not None:
            self.connection.reset(f"the stream is ended: {cause.value}")


class Readers:
    """Registers readers, and wakes those who wait in paced rounds.

    Args:
        relay: the core they read from.
        limit: how many streams there may be at once.

    Attributes:
        received: how many events the bus has brought.
        opened: how many streams there were so far.
        resumes: how often readers came in, by what became of their last id.
        catch_ups: how often one that had fallen off the log went on, likewise.
        evictions: how many streams have ended, by the `Cause`.
    """

    def __init__(self, relay: Relay, limit: int) -> None:
        self.relay = relay
        self.received = 0
        self.opened = 0
        self.resumes: Counter[str] = Counter()
        self.catch_ups: Counter[str] = Counter()
        self.evictions = none_yet()
        self._sent_to_gone = Sent()
        self._limit = limit
        self._open: set[Reader] = set()
        self._waiting: set[Reader] = set()
        self._grown = Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Reader]:
        return iter(self._open)

    @property
    def sent(self) -> Sent:
        """What all readers were sent, those that are gone included."""
        return total([self._sent_to_gone, *(reader.sent for reader in self._open)])

    def open(self, view: View, last_id: str | None = None) -> Reader:
        """Register a reader: whatever is appended from now on, it gets.

        Raises:
            TooManyReaders: the limit is reached.
        """
        if self._closed or len(self._open) >= self._limit:
            raise TooManyReaders
        reader = Reader(view, last_id, self.relay.head)
        self._open.add(reader)
        self.opened += 1
        return reader

    def come_in(self, reader: Reader) -> Entrance:
        """Return what a reader is told first; wait a little for what it has seen elsewhere."""
        until = time.monotonic() + _AHEAD_S
        while True:
            entrance = enter(self.relay, reader.last_id, reader.view, time.time_ns())
            left = until - time.monotonic()
            if entrance.verdict is not Verdict.AHEAD or left <= 0 or reader.gone:
                break
            self.wait(reader, min(left, _AHEAD_CHECK_S))
        self.resumes[entrance.verdict.value] += 1
        reader.resumed = entrance.resumed
        return entrance

    def catch_up(self, reader: Reader) -> Entrance:
        """Return what a reader is told that has fallen off the log.

        One that came in while nothing was known stands nowhere but where its last id says.
        """
        marks = reader.cursor.marks
        if marks:
            entrance = enter_at(self.relay, stands_at(marks), reader.view)
        else:
            entrance = enter(self.relay, reader.last_id, reader.view, time.time_ns())
        self.catch_ups[entrance.verdict.value] += 1
        return entrance

    def discard(self, reader: Reader) -> None:
        """Forget a reader; one of whose end nobody has said why has broken off a write."""
        if reader in self._open:
            self._open.remove(reader)
            self.evictions[(reader.left or Cause.GONE).value] += 1
            self._sent_to_gone = total([self._sent_to_gone, reader.sent])
        self._waiting.discard(reader)

    def close(self) -> None:
        """End every stream, and open no more."""
        self._closed = True
        self.reset(Cause.DRAINED)

    def reset(self, cause: Cause) -> None:
        """End every stream."""
        for reader in self._open:
            reader.leave(cause)

    def wait(self, reader: Reader, timeout_s: float) -> None:
        """Block until there may be something for `reader` to do, at most `timeout_s`."""
        reader.wake.clear()
        self._waiting.add(reader)
        if not reader.gone:
            reader.wake.wait(timeout_s)
        self._waiting.discard(reader)

    def log_has_grown(self) -> None:
        """Ask for a round."""
        self._grown.set()

    def run(self) -> None:
        """Wake readers in paced rounds for ever; a greenlet of its own."""
        while True:
            self._grown.wait()
            self._grown.clear()
            started = time.perf_counter()
            self._round()
            gevent.sleep(pause_after(time.perf_counter() - started))

    def _round(self) -> None:
        """Wake everybody who waits, some at a time, so that other work comes in between."""
        waiting = list(self._waiting)
        for first in range(0, len(waiting), _WOKEN_AT_ONCE):
            for reader in waiting[first : first + _WOKEN_AT_ONCE]:
                reader.wake.set()
            gevent.sleep(0)
