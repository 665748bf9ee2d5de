"""Everything a bus says, as its clients would see it."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import zmq

from bus.envelope import Envelope
from bus.transport.codec import Heartbeat, decode
from bus.transport.endpoints import Endpoints
from bus.transport.sockets import subscriber_socket
from tests.processes import DEADLINE_S

_POLL_MS = 50


class Event:
    """One event; parsed when it is looked at, since whoever listens has to keep up."""

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope

    @cached_property
    def wire(self) -> dict[str, Any]:
        """All of it; unlike msgspec, this takes all that JSON may be."""
        wire: dict[str, Any] = json.loads(self.envelope.event.json())
        return wire

    @property
    def id(self) -> str | None:
        """What tells it from all others; None where it has none."""
        return self.envelope.event.id

    @property
    def type(self) -> str:
        """What it tells of."""
        return self.envelope.event.type

    @property
    def properties(self) -> dict[str, Any]:
        """What it tells."""
        properties: dict[str, Any] = self.wire.get("properties", {})
        return properties

    def __repr__(self) -> str:
        return f"{self.type} {self.properties}"


class Ears:
    """A thread that collects all that is said.

    Attributes:
        events: all of them.
        batches: how many frames they came in.
        heartbeats: all of them.
    """

    def __init__(self, context: zmq.Context, endpoints: Endpoints) -> None:
        self.events: list[Event] = []
        self.batches = 0
        self.heartbeats: list[Heartbeat] = []
        self._of: defaultdict[str | None, list[Event]] = defaultdict(list)
        self._changed = threading.Condition()
        self._socket = subscriber_socket(context, [endpoints.events])
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._stop = threading.Event()
        self._thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            if not self._socket.poll(_POLL_MS):
                continue
            frame = decode(self._socket.recv())
            with self._changed:
                if isinstance(frame, Heartbeat):
                    self.heartbeats.append(frame)
                else:
                    self.batches += 1
                    for envelope in frame.envelopes:
                        self.events.append(event := Event(envelope))
                        self._of[envelope.session].append(event)
                self._changed.notify_all()
        self._socket.close(0)

    def of(self, session: str) -> list[Event]:
        """Return the events of a session so far."""
        return list(self._of[session])

    def until_count(self, session: str, kind: str, count: int) -> None:
        """Wait until so many events of a type have come for a session; each is looked at once."""
        place = told = 0

        def enough() -> bool:
            nonlocal place, told
            events = self._of[session]
            told += sum(event.type == kind for event in events[place:])
            place = len(events)
            return told >= count

        self.until(enough)

    def until(self, condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """Wait until `condition` is true of what was heard, and return what it returned."""
        with self._changed:
            if self._changed.wait_for(condition, deadline_s):
                return condition()
            raise TimeoutError(f"not within {deadline_s} s; heard last: {self.events[-8:]}")

    def close(self) -> None:
        """Hear no more."""
        self._stop.set()
        self._thread.join()


@contextmanager
def listening(bus: str) -> Iterator[Ears]:
    """Listen to a bus for the time of a ``with`` block."""
    with zmq.Context() as context:
        ears = Ears(context, Endpoints.parse(bus))
        try:
            ears.until(lambda: ears.heartbeats)
            yield ears
        finally:
            ears.close()
