"""A processor of the tests' own: publishes what a test wants, answers no command."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from bus.events import from_json
from bus.transport.endpoints import Endpoints
from bus.transport.publisher import Publisher
from bus.transport.sockets import EVENTS_HWM
from tests.envelopes import DIRECTORY, dump
from tests.processes import DEADLINE_S


class Source:
    """The publishing end of a bus, for one gateway.

    Attributes:
        url: the bus, as a gateway's ``--bus``.
        publisher: the real publisher.
    """

    def __init__(self, folder: Path, source: str = "test") -> None:
        self.url = f"ipc://{folder}"
        self._context = zmq.Context()
        # XPUB is a PUB that tells of subscriptions: a test must know when it is heard.
        self.socket = self._context.socket(zmq.XPUB)
        self.socket.set(zmq.XPUB_VERBOSE, 1)
        self.socket.set(zmq.SNDHWM, EVENTS_HWM)
        self.socket.set(zmq.LINGER, 0)
        self.socket.bind(Endpoints.parse(self.url).events)
        # Flushed by `publish`, as a processor flushes once a loop turn.
        self.publisher = Publisher(self.socket, source, defer=lambda flush: None)

    def wait_for_workers(self, count: int, deadline_s: float = DEADLINE_S) -> None:
        """Wait until `count` workers have subscribed."""
        for _ in range(count):
            if not self.socket.poll(int(deadline_s * 1000)):
                raise TimeoutError("no worker subscribed")
            self.socket.recv()

    def publish(self, events: Iterable[dict[str, Any]], directory: str | None = DIRECTORY) -> None:
        """Publish raw events at once, in batches."""
        for event in events:
            self.publisher.publish(from_json(dump(event)), directory)
        self.publisher.flush()

    def publish_wrapped(self, envelopes: Iterable[dict[str, Any]]) -> None:
        """Publish `/global/event` objects."""
        for wire in envelopes:
            where = (wire.get(name) for name in ("directory", "project", "workspace"))
            self.publisher.publish(from_json(dump(wire["payload"])), *where)
        self.publisher.flush()

    def close(self) -> None:
        """Leave the bus."""
        self._context.destroy(linger=0)


@contextmanager
def source(folder: Path) -> Iterator[Source]:
    """A source for the time of a ``with`` block."""
    folder.mkdir(exist_ok=True)
    one = Source(folder)
    try:
        yield one
    finally:
        one.close()


MARKER = {"type": "test.done", "properties": {}}
"""An event that a test recognises as its last."""
