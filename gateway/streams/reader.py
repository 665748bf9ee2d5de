"""The state of one open stream, without the code that writes to it."""

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
    from gateway.access.principal import Principal
    from gateway.streams.lane import Rank
    from gateway.streams.outlet import Outlet


class StreamClient(Struct, frozen=True):
    """The client that opened a stream.

    Attributes:
        address: of the connection, or as a trusted proxy reports it.
        agent: its ``User-Agent``, shortened.
        principal: whose the stream is; None if that is not known.
    """

    address: str = ""
    agent: str = ""
    principal: Principal | None = None


UNNAMED = StreamClient()


class Reader:
    """One open stream.

    Attributes:
        number: unique among all readers of all workers at this seat.
        client: the client that opened the stream.
        view: which events it gets, and in which form.
        last_id: the last event id of an earlier stream; None if there was none.
        from_now: it gets only events from after its opening.
        pace_s: the shortest interval between further deltas; 0 for none.
        rank: of its lane, while it waits at the head of the log; None while it is written to
            alone.
        placed: its view is known; until then the view admits nothing.
        patience_s: how long it waits for its view before it gets its first event.
        resumed: it continues exactly where the earlier stream was cut; None while unknown.
        connection: its socket; None under a test client.
        outlet: writes to the socket after the request was answered; None before.
        left: the cause of its end, None while it is open.
        opened_at: when it was opened (`time.monotonic()`).
        stalled_s: how long it has accepted none of the bytes that wait, as of the last check.
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
        """Set the view that it begins with."""
        self.view, self.placed, self.patience_s = view, placed, patience_s

    @property
    def cursor(self) -> Cursor:
        """Its position in the log."""
        return self._cursor if self.rank is None else self.rank.cursor

    @cursor.setter
    def cursor(self, cursor: Cursor) -> None:
        assert self.rank is None, "a reader in a rank has the position of its rank"
        self._cursor = cursor

    @property
    def position(self) -> int:
        """The log position of the reader's cursor."""
        return self.cursor.position

    @property
    def sent(self) -> Sent:
        """Counts of what the reader was sent."""
        if self.rank is None:
            return self._sent
        return self._sent + self.rank.sent - self._counted_from

    def count_step(self, step: Step) -> None:
        """Count a step that was written to this reader alone."""
        self._sent.step(step)
        self._everyone.step(step)

    def count_own(self, size: int, frames: int = 1) -> None:
        """Count frames of weir itself, with `size` bytes together."""
        self._sent.own(size, frames)
        self._everyone.own(size, frames)

    def count_entrance(self, frames: int, upserts: int, size: int) -> None:
        """Count the reader's first frames: of events, upserts, and their bytes together."""
        self._sent.entrance(frames, upserts, size)
        self._everyone.entrance(frames, upserts, size)

    def enter(self, rank: Rank) -> None:
        """Join a rank, whose counters count for the reader from now on."""
        self.rank, self._counted_from = rank, rank.sent
        rank.readers.add(self)

    def leave_rank(self) -> None:
        """Stop waiting; its position is then the position of its rank."""
        if self.rank is None:
            return
        sent, cursor = self.sent, self.rank.cursor
        self.rank.readers.discard(self)
        self.rank, self._sent, self._cursor = None, sent, cursor

    @property
    def turning(self) -> bool:
        """Whether its view is about to change."""
        return self._turn is not None

    def turn_to(self, view: View, since_ns: int) -> None:
        """Change its view as soon as possible; does not block.

        Args:
            view: the new view.
            since_ns: from this time on it may lack events of the new view, ns since the Unix
                epoch.
        """
        self._turn = view, since_ns
        self._stir()
        if self.rank is not None and self.outlet is not None:
            self.outlet.work()

    def turn(self) -> int:
        """Set the new view; return the time from which on it may lack events of this view."""
        assert self._turn is not None
        self.view, since_ns = self._turn
        self._turn, self.placed = None, True
        return since_ns

    def rest(self, timeout_s: float) -> None:
        """Block until its view changes or it ends, at most `timeout_s`."""
        self._wake = Event()
        if not self.gone and not self.turning:
            self._wake.wait(timeout_s)
        self._wake = None

    @property
    def gone(self) -> bool:
        """Whether it has ended: nothing more is written."""
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
