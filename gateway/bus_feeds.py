"""The connections of a gateway worker to the processors: events come in, commands go out.

Each processor has its own bus (ZeroMQ sockets), and each worker has a greenlet for each bus. So a
processor that does not answer delays only its own events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import zmq.green

from bus.process.version import installed_version
from bus.transport import sockets
from bus.transport.endpoints import Endpoints
from bus.transport.link import EventInlet, Link
from bus.transport.requester import SILENT_S, Requester
from bus.transport.secret import secured
from bus.transport.source_state import SourceState
from bus.transport.subscriber import Subscriber
from gateway.ingest import Ingest
from gateway.monitor.readiness import ReadinessMemory
from gateway.settings import GatewaySettings
from gateway.streams.readers import Readers


class BusFeed:
    """The connection of a gateway worker to one processor.

    Args:
        context: gevent's kind of ZeroMQ context (`zmq.green`).
        bus: the addresses of the processor's sockets.
        readers: the event streams that get the processor's events.
        command_timeout_s: how long to wait for an answer to a command.
        relays: the processor reads the events of an upstream, so it is ready only if the upstream
            is.

    Attributes:
        requester: sends commands to the processor.
        subscriber: receives the processor's events.
        memory: the processor's latest report on whether it is ready.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        bus: Endpoints,
        readers: Readers,
        command_timeout_s: float,
        relays: bool,
    ) -> None:
        self.requester = Requester(
            Link(sockets.requester_socket(context, bus.commands)),
            alive=lambda: self.subscriber.alive(SILENT_S),
            deadline_s=command_timeout_s,
            restarts=lambda: self.subscriber.restarts,
        )
        events = sockets.subscriber_socket(context, [bus.events])
        self.subscriber = Subscriber(EventInlet(events, before_wait=readers.lanes.flush))
        self._ingest = Ingest(bus.url, self.subscriber, self.requester, readers)
        self.memory = ReadinessMemory(bus.url, self.requester, installed_version(), relays)

    def loops(self) -> Sequence[Callable[[], None]]:
        """Return the functions that must run for ever, each in a greenlet of its own."""
        return self._ingest.run, self.requester.run, self.memory.run


class Feeds:
    """The connections of a gateway worker to all processors.

    Args:
        context: gevent's kind of ZeroMQ context (`zmq.green`).
        settings: has the addresses of the processors. The first processor takes the commands, and
            reads the upstream if there is an upstream.
        readers: the event streams that get the events of all processors.

    Attributes:
        requester: sends commands to the first processor.
        memories: each processor's latest report on whether it is ready.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], settings: GatewaySettings, readers: Readers
    ) -> None:
        relays = settings.upstream is not None
        self._feeds = [
            BusFeed(
                context if bus.folder is not None else _secured(bus, settings.bus_secret),
                bus,
                readers,
                settings.command_timeout,
                relays and number == 0,
            )
            for number, bus in enumerate(settings.buses)
        ]
        self.requester = self._feeds[0].requester
        self.memories = [feed.memory for feed in self._feeds]

    def __iter__(self) -> Iterator[BusFeed]:
        return iter(self._feeds)

    @property
    def sources(self) -> Mapping[str, SourceState]:
        """What is known of each source (a processor, as named in its events), by its name."""
        return {
            name: state for feed in self._feeds for name, state in feed.subscriber.sources.items()
        }

    @property
    def malformed(self) -> int:
        """How many messages from the buses could not be decoded."""
        return sum(feed.subscriber.malformed for feed in self._feeds)

    def loops(self) -> Iterator[Callable[[], None]]:
        """Yield the functions that must run for ever, each in a greenlet of its own."""
        for feed in self._feeds:
            yield from feed.loops()


def _secured(bus: Endpoints, secret: str | None) -> zmq.Context[zmq.Socket[bytes]]:
    """Return a ZeroMQ context for one bus over TCP, whose sockets have the keys of this bus.

    All sockets of a context have the same keys, so buses with different keys cannot share one.
    """
    return secured(zmq.green.Context(), bus, secret, serves=False)
