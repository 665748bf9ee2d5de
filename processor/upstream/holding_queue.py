"""New events of the stream, which wait until the missed events before them are published."""

from __future__ import annotations

from collections.abc import Iterator

from bus.events import Entity
from bus.events.catalogue import MESSAGE, PART
from processor.upstream.frames import UpstreamFrame

MOST_EVENTS = 100_000
MOST_BYTES = 32 * 1024 * 1024


class HoldingQueue:
    """A queue of events with a bound, which can be searched by message, part or other entity."""

    def __init__(self, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._frames: list[UpstreamFrame] = []
        self._first: dict[tuple[str, str], UpstreamFrame] = {}
        self._overtaken: set[str] = set()
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether the queue has reached a bound."""
        return len(self._frames) >= self._most_events or self._bytes >= self._most_bytes

    def add(self, frame: UpstreamFrame) -> None:
        """Append an event."""
        self._frames.append(frame)
        self._bytes += frame.event.size
        subject = frame.subject
        if subject is not None:
            self._first.setdefault(subject.key, frame)
            if subject.kind == PART.name and self.first(MESSAGE, subject.message) is None:
                self._overtaken.add(subject.message)

    def first(self, kind: Entity, entity: str) -> UpstreamFrame | None:
        """Return the first waiting event about an entity, None if there is none."""
        return self._first.get((kind.name, entity))

    def overtaken(self, message: str) -> bool:
        """Return whether a part of a message waits before the first event about the message."""
        return message in self._overtaken

    def __iter__(self) -> Iterator[UpstreamFrame]:
        """Yield the waiting events, in order."""
        return iter(self._frames)
