"""The state of one open event stream; `Lane` and `Outlet` write to its socket."""

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
    """The client that opened an event stream.

    Attributes:
        address: of the connection, or the address that a trusted proxy reports.
        agent: the client's ``User-Agent``, shortened.
        principal: the user or token that opened the stream; None if this is not known.
    """

    address: str = ""
    agent: str = ""
    principal: Principal | None = None


UNNAMED = StreamClient()


class Reader:
    """One open event stream.

    Attributes:
        number: differs from the number of every other reader that this worker, or an earlier
            worker with the same seat, has had.
        client: the client that opened the stream.
        view: which events the reader gets, and in which form.
        last_id: the ``Last-Event-ID`` of the request; None if there was none.
        from_now: the reader gets only events from after the stream was opened.
        pace_s: the shortest time between deltas of the same text; 0 sends each at once.
        rank: the readers at the same position in the same lane, while the reader waits for events;
            None while a greenlet writes to this reader alone.
        placed: the folder of `view` is known; until then the view admits nothing.
        patience_s: how long the stream waits for its folder before it sends its first event.
        resumed: the stream continues exactly where an earlier stream was cut; None while unknown.
        connection: the socket of the stream; None under a test client.
        outlet: writes to the socket once the request's greenlet has ended; None before.
        left: why the stream has ended; None while it is open.
        opened_at: when the stream was opened (`time.monotonic()`).
        stalled_s: for how long bytes have waited and the client has accepted none, as of the last
            check.
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
        """Set the view with which the stream begins.

        Args:
            view: which events the reader gets.
            placed: whether the folder of `view` is known already.
            patience_s: how long the stream waits for the folder before its first event.
        """
        self.view, self.placed, self.patience_s = view, placed, patience_s

    @property
    def cursor(self) -> Cursor:
        """The reader's position in the log, and in the order of each source (processor)."""
        return self._cursor if self.rank is None else self.rank.cursor

    @cursor.setter
    def cursor(self, cursor: Cursor) -> None:
        assert self.rank is None, "a reader in a rank has the position of its rank"
        self._cursor = cursor

    @property
    def position(self) -> int:
        """The index in the log of the first event that the reader has not been sent."""
        return self.cursor.position

    @property
    def sent(self) -> Sent:
        """Counts of what the reader was sent."""
        if self.rank is None:
            return self._sent
        return self._sent + self.rank.sent - self._counted_from

    def count_step(self, step: Step) -> None:
        """Count the frames of a step, which were written to this reader alone."""
        self._sent.step(step)
        self._everyone.step(step)

    def count_own(self, size: int, frames: int = 1) -> None:
        """Count frames of the gateway's own, such as heartbeats, with `size` bytes in all."""
        self._sent.own(size, frames)
        self._everyone.own(size, frames)

    def count_entrance(self, frames: int, upserts: int, size: int) -> None:
        """Count what the reader was sent first: frames of events, upserts, bytes of both."""
        self._sent.entrance(frames, upserts, size)
        self._everyone.entrance(frames, upserts, size)

    def enter(self, rank: Rank) -> None:
        """Join a rank (readers at the same position); what it is sent counts from now on."""
        self.rank, self._counted_from = rank, rank.sent
        rank.readers.add(self)

    def leave_rank(self) -> None:
        """Leave the rank, if any; the reader keeps the rank's position, and its own counts."""
        if self.rank is None:
            return
        sent, cursor = self.sent, self.rank.cursor
        self.rank.readers.discard(self)
        self.rank, self._sent, self._cursor = None, sent, cursor

    @property
    def turning(self) -> bool:
        """Whether the reader is about to change to another view (`turn_to` was called)."""
        return self._turn is not None

    def turn_to(self, view: View, since_ns: int) -> None:
        """Change to another view, such as another folder, as soon as possible; does not block.

        Args:
            view: the new view.
            since_ns: from this time on the reader may lack events of the new view, ns since the
                Unix epoch.
        """
        self._turn = view, since_ns
        self._stir()
        if self.rank is not None and self.outlet is not None:
            self.outlet.work()

    def turn(self) -> int:
        """Set the view that `turn_to` has given; return its `since_ns`."""
        assert self._turn is not None
        self.view, since_ns = self._turn
        self._turn, self.placed = None, True
        return since_ns

    def wait(self, timeout_s: float) -> None:
        """Block until the reader's view is to change or the stream ends, at most `timeout_s`."""
        self._wake = Event()
        if not self.gone and not self.turning:
            self._wake.wait(timeout_s)
        self._wake = None

    @property
    def gone(self) -> bool:
        """Whether the stream has ended, so that no more bytes may be written."""
        return self.left is not None

    def leave(self, cause: Cause) -> None:
        """End the stream by a TCP reset, even while a write blocks; does not block itself."""
        if self.left is not None:
            return
        self.left = cause
        self._stir()
        if self.connection is not None:
            self.connection.reset(f"weir ends the event stream: {cause.value}")
        if self.outlet is not None:
            self.outlet.end()

    def _stir(self) -> None:
        if self._wake is not None:
            self._wake.set()
