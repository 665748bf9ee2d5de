"""The state of one open stream, without the code that writes bytes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gevent.event import Event
from msgspec import Struct

from gateway.relay import Cursor, Step, View
from gateway.streams.connection import StreamConnection
from gateway.streams.counts import Sent
from gateway.streams.evictions import Cause

if TYPE_CHECKING:
    from gateway.streams.lane import Rank
    from gateway.streams.outlet import Outlet


class StreamClient(Struct, frozen=True):
    """Who opened a stream.

    Attributes:
        address: of the connection, or as a trusted proxy reports it.
        agent: its ``User-Agent``, cut.
    """

    address: str = ""
    agent: str = ""


UNNAMED = StreamClient()


class Reader:
    """One open stream.

    Attributes:
        number: of the reader in its worker, never used again.
        client: who opened it.
        view: what it gets, and in which form.
        last_id: the last it has seen of an earlier stream; None if it begins.
        from_now: it begins with what happens after it came.
        pace_s: the least time between two flushes of further deltas; 0 for none.
        rank: where it waits at the head of the log; None while something is written for it alone.
        placed: its view is known; until then the view admits nothing.
        patience_s: how long it waits for that before it is greeted.
        resumed: it goes on exactly where that stream was cut; None while it is not known.
        connection: its socket; None under a test client.
        outlet: writes to that socket once the request is answered; None before.
        left: why it is over, once it is.
        opened_at: `time.monotonic()` of its beginning.
        stalled_s: for how long it has accepted nothing of what waits for it, as of the last look.
    """

    __slots__ = (
        "__weakref__",
        "_counted_from",
        "_cursor",
        "_everyone",
        "_sent",
        "_turn",
        "_wake",
        "client",
        "connection",
        "from_now",
        "last_id",
        "left",
        "number",
        "opened_at",
        "outlet",
        "pace_s",
        "patience_s",
        "placed",
        "rank",
        "resumed",
        "stalled_s",
        "view",
    )

    def __init__(
        self,
        view: View,
        last_id: str | None,
        cursor: Cursor,
        from_now: bool,
        pace_s: float,
        everyone: Sent,
        number: int = 0,
        client: StreamClient = UNNAMED,
    ) -> None:
        self.number = number
        self.client = client
        self.view = view
        self.last_id = last_id
        self.from_now = from_now
        self.pace_s = pace_s
        self.rank: Rank | None = None
        self.placed = True
        self.patience_s = 0.0
        self.resumed: bool | None = None
        self.connection: StreamConnection | None = None
        self.outlet: Outlet | None = None
        self.left: Cause | None = None
        self.opened_at = time.monotonic()
        self.stalled_s = 0.0
        self._cursor = cursor
        self._sent = self._counted_from = Sent()
        self._everyone = everyone
        self._turn: tuple[View, int] | None = None
        self._wake: Event | None = None

    def place(self, view: View, placed: bool, patience_s: float) -> None:
        """Give it the view that it begins with."""
        self.view, self.placed, self.patience_s = view, placed, patience_s

    @property
    def cursor(self) -> Cursor:
        """Where it stands in the log."""
        return self._cursor if self.rank is None else self.rank.cursor

    @cursor.setter
    def cursor(self, cursor: Cursor) -> None:
        assert self.rank is None, "a reader that waits stands where its rank does"
        self._cursor = cursor

    @property
    def position(self) -> int:
        """The position of its cursor."""
        return self.cursor.position

    @property
    def sent(self) -> Sent:
        """What it was sent so far."""
        if self.rank is None:
            return self._sent
        return self._sent + self.rank.sent - self._counted_from

    def count_step(self, step: Step) -> None:
        """Count what a step has written for this reader alone."""
        self._sent.step(step)
        self._everyone.step(step)

    def count_own(self, size: int, frames: int = 1) -> None:
        """Count frames of weir itself, of so many bytes together."""
        self._sent.own(size, frames)
        self._everyone.own(size, frames)

    def count_entrance(self, frames: int, upserts: int, size: int) -> None:
        """Count what was sent first: frames of events, upserts, and their bytes together."""
        self._sent.entrance(frames, upserts, size)
        self._everyone.entrance(frames, upserts, size)

    def enter(self, rank: Rank) -> None:
        """Wait at a rank from now on."""
        self.rank, self._counted_from = rank, rank.sent
        rank.readers.add(self)

    def leave_rank(self) -> None:
        """Wait no more; it stands where its rank has come."""
        if self.rank is None:
            return
        sent, cursor = self.sent, self.rank.cursor
        self.rank.readers.discard(self)
        self.rank, self._sent, self._cursor = None, sent, cursor

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
        self._stir()
        if self.rank is not None and self.outlet is not None:
            self.outlet.work()

    def turn(self) -> int:
        """Take the other view; returns since when something of it may be lacking."""
        assert self._turn is not None
        self.view, since_ns = self._turn
        self._turn, self.placed = None, True
        return since_ns

    def rest(self, timeout_s: float) -> None:
        """Block until it is to get another view or is over, at most `timeout_s`."""
        self._wake = Event()
        if not self.gone and not self.turning:
            self._wake.wait(timeout_s)
        self._wake = None

    @property
    def gone(self) -> bool:
        """Whether it is over: nothing more is to be written."""
        return self.left is not None

    def leave(self, cause: Cause) -> None:
        """End the stream by a reset, wherever it waits; does not block."""
        if self.left is not None:
            return
        self.left = cause
        self._stir()
        if self.connection is not None:
            self.connection.reset(f"the stream is ended: {cause.value}")
        if self.outlet is not None:
            self.outlet.end()

    def _stir(self) -> None:
        if self._wake is not None:
            self._wake.set()
