"""One open stream, and the lane in which it waits."""

from __future__ import annotations

import time

from gevent.event import Event

from gateway.connection import Connection
from gateway.counts import Sent
from gateway.evictions import Cause
from gateway.relay import Cursor, FellOff, Relay, View


class Reader:
    """One open stream.

    Attributes:
        view: what it gets, and in which form.
        last_id: the last it has seen of an earlier stream; None if it begins.
        from_now: it begins with what happens after it came.
        cursor: where it stood when it began to wait, or stands since.
        lane: where it waits; None while it does not.
        placed: its view is known; until then the view admits nothing.
        patience_s: how long it waits for that before it is greeted.
        resumed: it goes on exactly where that stream was cut; None while it is not known.
        connection: its socket; None under a test client.
        left: why it is over, once it is.
        opened_at: `time.monotonic()` of its beginning.
        sent: what it was sent so far.
        stalled_s: for how long it has accepted nothing of what waits for it, as of the last look.
    """

    def __init__(
        self, view: View, last_id: str | None, cursor: Cursor, from_now: bool = False
    ) -> None:
        self.view = view
        self.last_id = last_id
        self.from_now = from_now
        self.cursor = cursor
        self.placed = True
        self.patience_s = 0.0
        self.lane: Lane | None = None
        self.resumed: bool | None = None
        self.connection: Connection | None = None
        self.left: Cause | None = None
        self.opened_at = time.monotonic()
        self.sent = Sent()
        self.stalled_s = 0.0
        self.wake = Event()
        self._turn: tuple[View, int] | None = None

    def place(self, view: View, placed: bool, patience_s: float) -> None:
        """Give it the view that it begins with."""
        self.view, self.placed, self.patience_s = view, placed, patience_s

    @property
    def turning(self) -> bool:
        """Whether it is to get another view."""
        return self._turn is not None

    def turn_to(self, view: View, since_ns: int) -> None:
        """Have it get another view as soon as it can; does not block.

        Args:
            view: what it is to get.
            since_ns: since when it may lack something of that, ns since the Unix epoch.
        """
        self._turn = view, since_ns
        self.wake.set()

    def turn(self) -> int:
        """Take the other view; returns since when something of it may be lacking."""
        assert self._turn is not None
        self.view, since_ns = self._turn
        self._turn, self.placed = None, True
        return since_ns

    @property
    def gone(self) -> bool:
        """Whether it is over: nothing more is to be written."""
        return self.left is not None

    @property
    def position(self) -> int:
        """Where it stands in the log."""
        return self._stands.position

    def leave(self, cause: Cause) -> None:
        """End the stream by a reset, wherever it waits; does not block."""
        if self.left is not None:
            return
        self.left = cause
        self.wake.set()
        if self.connection is not None:
            self.connection.reset(f"the stream is ended: {cause.value}")

    def leave_lane(self) -> None:
        """Wait no more, and stand where the lane has come."""
        self.cursor = self._stands
        lane, self.lane = self.lane, None
        if lane is not None:
            lane.readers.discard(self)

    @property
    def _stands(self) -> Cursor:
        """Its own place, or that of its lane if the lane has come further."""
        if self.lane is None or self.lane.cursor.position <= self.cursor.position:
            return self.cursor
        return self.lane.cursor


class Lane:
    """Readers with equal views that wait for the log to grow.

    It takes for all of them the steps that hold nothing for their view. So a reader costs nothing
    while the log grows by what does not concern it, and still does not fall off.

    Attributes:
        cursor: where it stands; no reader in it stands further back than that.
        readers: who waits.
        flushing: they are being woken, or were so lately.
    """

    def __init__(self, view: View, cursor: Cursor) -> None:
        self.cursor = cursor
        self.readers: set[Reader] = set()
        self.flushing = False
        self._view = view

    def join(self, reader: Reader) -> None:
        """Have a reader wait here; it stands at the head of the log."""
        if not self.readers:
            self.cursor = reader.cursor
        self.readers.add(reader)
        reader.lane = self

    def emptied(self) -> list[Reader]:
        """Have all leave at once: one who comes again soon stands further on than the others."""
        left = list(self.readers)
        for reader in left:
            reader.leave_lane()
        return left

    def has_news(self, relay: Relay) -> bool:
        """Go on to what the readers are to be woken for; returns whether there is any."""
        self.cursor = relay.passed(self.cursor, self._view)
        try:
            while (step := relay.step(self.cursor, self._view)) is not None:
                if step.pieces:
                    return True
                self.cursor = step.cursor
        except FellOff:
            return True
        return False
