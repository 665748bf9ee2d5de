"""Turns the data of the upstream's stream into published events: no I/O, no clock of its own.

Each frame of the stream passes here once and in order. Deltas that do not continue the text that
readers have are withheld (`holes`). All other events pass unchanged. While healing fetches the
events that were missed, new events wait (`holding_queue`), so that the missed events are published
before them.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from bus.events import Delta, Event, Opaque, growth_of, type_of
from bus.events.catalogue import MESSAGE, PART, SERVER_CONNECTED, SERVER_HEARTBEAT
from bus.ids import made_ms
from processor.upstream import frames
from processor.upstream.frames import MalformedUpstreamFrame, UpstreamFrame
from processor.upstream.holding_queue import HoldingQueue
from processor.upstream.holes import Holes
from processor.upstream.memory import UpstreamMemory
from processor.upstream.subject import text_of, time_of

log = logging.getLogger("weir.upstream")

_SIGNS_OF_LIFE = frozenset({SERVER_CONNECTED, SERVER_HEARTBEAT})


class FrameIntake:
    """Takes the frames of one upstream, over all its connections.

    Args:
        publish: puts an event on the bus.
        clock: seconds that only go forward.

    Attributes:
        holes: which text readers have.
        memory: what else was published.
        hold: new events, which wait until missed events are fetched; None: new events do not wait.
        withheld: how many deltas, and snapshots older than REST's, were not published.
        malformed: how many frames were skipped, by reason.
    """

    def __init__(
        self, publish: Callable[[UpstreamFrame], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.holes = Holes()
        self.memory = UpstreamMemory()
        self.hold: HoldingQueue | None = None
        self.withheld = 0
        self.malformed: Counter[str] = Counter()
        self._publish = publish
        self._clock = clock
        self._last_id: str | None = None

    def connected(self, since_ms: int | None) -> None:
        """Begin a connection; live events wait until `release`.

        Args:
            since_ms: a time on the server's clock that is not before the connection began; None if
                it is not known.
        """
        self.holes.connected(since_ms)
        self._last_id = None
        self.wait()

    def last_made_ms(self, by_ms: int) -> int:
        """Return when the last event of this connection was made, by the server's clock.

        Args:
            by_ms: when the event came; returned if the event's id has no time (opencode 1.2).
        """
        last_ms = None if self._last_id is None else made_ms(self._last_id, by_ms)
        return by_ms if last_ms is None else min(last_ms, by_ms)

    def take(self, data: bytes) -> None:
        """Take the data of one SSE event."""
        try:
            frame = frames.decode(data)
        except MalformedUpstreamFrame as error:
            self._skip(error, len(data))
            return
        event = frame.event
        self._last_id = event.id or self._last_id
        if isinstance(event, Opaque) and event.type in _SIGNS_OF_LIFE:
            return
        if self.hold is None:
            self._live(frame)
            return
        self.hold.add(frame)
        if self.hold.full:
            log.warning(
                "the upstream has sent so many events while missed events are being fetched that "
                "they no longer fit in memory; they are published now, and the missed events are "
                "fetched again"
            )
            self.release()

    def wait(self) -> None:
        """Let live events wait from now on."""
        if self.hold is None:
            self.hold = HoldingQueue()

    def release(self) -> None:
        """Publish the waiting events; live events do not wait from now on."""
        hold, self.hold = self.hold, None
        for frame in hold or ():
            self._live(frame)

    def upsert(self, frame: UpstreamFrame) -> None:
        """Publish an event that healing has made of a REST answer."""
        subject = frame.subject
        if subject is not None:
            self.memory.note(subject, frame.place, self._clock())
            if subject.kind == PART.name and subject.value is not None:
                length = len(text_of(subject.value))
                self.holes.upsert(subject.id, length, ended=not _is_provisional(frame))
        self._publish(frame)

    def _live(self, frame: UpstreamFrame) -> None:
        event, subject, kind = frame.event, frame.subject, type_of(frame.event.type)
        if kind.text_for is not None:
            self._delta(frame, kind.text_for.name)
            return
        if subject is not None and _is_provisional(frame) and self.holes.ended(subject.id):
            self.withheld += 1
            return
        if subject is not None:
            self.memory.note(subject, frame.place, self._clock())
            if kind.snapshot_of is not None and kind.snapshot_of.grows:
                name = _name(event, subject.kind)
                self.holes.snapshot(name, len(text_of(subject.value)))
            elif kind.snapshot_of is MESSAGE:
                self.holes.message(subject.id, time_of(subject.value, "created"))
        self._publish(frame)

    def _delta(self, frame: UpstreamFrame, kind: str) -> None:
        event = frame.event
        if isinstance(event, Delta):
            length = len(event.delta) if event.field == "text" else 0
            passes = self.holes.passes(_name(event, kind), event.owner, length)
        else:
            passes = self._passes_opaque(event, kind)
        session = event.sessionID
        if session is not None and self.memory.session(session) is None:
            self.memory.note_text(session, frame.place, self._clock())
        if passes:
            self._publish(frame)
        else:
            self.withheld += 1

    def _passes_opaque(self, event: Opaque, kind: str) -> bool:
        """Return whether a delta passes that has an unknown field, or half a surrogate pair."""
        grown = growth_of(event)
        if grown is None or event.entity is None:
            return True  # its form is unknown to clients too, so no client appends it
        field, texts = grown
        length = len(texts[0]) if field == "text" else 0
        return self.holes.passes(_name(event, kind), event.owner or "", length)

    def _skip(self, error: MalformedUpstreamFrame, size: int) -> None:
        self.malformed[error.kind] += 1
        if self.malformed[error.kind] == 1:
            log.warning(
                "an event of %d bytes from the upstream is skipped: %s (further events with this "
                "problem are not logged)",
                size,
                error,
            )


def _is_provisional(frame: UpstreamFrame) -> bool:
    return isinstance(frame.event, Opaque) and frame.event.provisional


def _name(event: Event, kind: str) -> str:
    """Return the key of an entity in `holes`: a part's id, or kind, session and id of another."""
    name = event.entity or ""
    return name if kind == PART.name else f"{kind} {event.sessionID} {name}"
