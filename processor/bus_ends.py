"""The processor's ends of its bus: where events go, and where commands come from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

import zmq.green as zmq
from msgspec import Struct

from bus.process.entry import CannotStart
from bus.process.folder import claimed
from bus.redis.address import RedisAddress
from bus.transport.broadcast import Broadcast
from bus.transport.endpoints import Endpoints
from bus.transport.link import FrameSender, Link, ServerEnd
from bus.transport.publisher import Publisher
from bus.transport.secret import secured
from bus.transport.sockets import responder_socket
from processor.settings import ProcessorSettings

HOLDER = "processor"
LINGER_MS = 200
_FINISH_S = 2.0

Loop = Callable[[], None]


class BusUnusable(CannotStart):
    """The bus address cannot be bound."""


class TendedSender(FrameSender, Protocol):
    """Sends frames, and needs some care."""

    def tend(self) -> None:
        """Do what is due; called by the work loop ten times a second."""


class BusEnds(Struct, frozen=True):
    """The two ends of a bus.

    Attributes:
        events: sends events.
        commands: receives commands.
        loops: returns the functions that must run for ever for a publisher's events.
    """

    events: TendedSender
    commands: ServerEnd
    loops: Callable[[Publisher], Sequence[Loop]] = lambda _: ()


def claim_bus(bus: Endpoints | RedisAddress, stack: contextlib.ExitStack) -> None:
    """Lock the folder of an ipc bus: binding would replace another processor's socket file."""
    if isinstance(bus, Endpoints) and bus.folder is not None:
        stack.enter_context(claimed(bus.folder, "--bus", HOLDER))


def bus_ends(
    settings: ProcessorSettings, source: str
) -> contextlib.AbstractContextManager[BusEnds]:
    """Open the ends of the bus, and close them at the end of the block.

    Raises:
        BusUnusable: the address cannot be bound.
    """
    if isinstance(settings.bus, RedisAddress):
        return _in_redis(settings, settings.bus, source)
    return _sockets(settings.bus, settings.bus_secret)


@contextlib.contextmanager
def _in_redis(
    settings: ProcessorSettings, address: RedisAddress, source: str
) -> Iterator[BusEnds]:
    # Imported only if needed: the library is an extra, and takes long to load.
    from bus.redis.queue import ServerLink
    from bus.redis.writer import StreamWriter

    writer = StreamWriter(address, settings.redis_login)
    commands = ServerLink(address, settings.redis_login, source)
    try:
        yield BusEnds(writer, commands, lambda publisher: (partial(writer.run, publisher),))
    finally:
        writer.finish(_FINISH_S)


@contextlib.contextmanager
def _sockets(bus: Endpoints, secret: str | None) -> Iterator[BusEnds]:
    context = secured(zmq.Context(), bus, secret, serves=True)
    address = bus.events
    try:
        events = Broadcast(context, address)
        address = bus.commands
        commands = responder_socket(context, address)
    except zmq.ZMQError as error:
        context.destroy(linger=0)
        raise BusUnusable(f"--bus: {address!r} cannot be bound: {error.strerror}") from error
    try:
        yield BusEnds(events, Link(commands))
    finally:
        # The last events of turns that were stopped are still being sent.
        events.close(LINGER_MS)
        commands.close(0)
        context.term()
