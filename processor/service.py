"""Builds a processor from its settings, runs it, and stops it."""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import gevent
import zmq.green as zmq
from gevent.event import Event

from bus.process.allocator import give_back_large_blocks
from bus.process.entry import CannotStart
from bus.process.folder import claimed, make_private
from bus.process.heart import Heart, Notifier
from bus.process.stack import show_stack_at_abort
from bus.transport.broadcast import Broadcast
from bus.transport.endpoints import Endpoints
from bus.transport.link import Link
from bus.transport.publisher import Publisher
from bus.transport.responder import Responder
from bus.transport.secret import secured
from bus.transport.sockets import responder_socket
from processor.mode import Mode, Work
from processor.pulse import BEAT_S, Pulse
from processor.settings import ProcessorSettings

log = logging.getLogger("weir.processor")

LINGER_MS = 200
_HOLDER = "processor"


class BusUnusable(CannotStart):
    """The bus address cannot be bound."""


def run(settings: ProcessorSettings) -> None:
    """Run until SIGTERM or SIGINT; then end all work, and return.

    Raises:
        CannotStart: the state or the bus cannot be used; the message gives the reason.
    """
    show_stack_at_abort()
    give_back_large_blocks()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop.set)
    with contextlib.ExitStack() as stack:
        mode = _mode(settings, stack)
        events, commands = stack.enter_context(_sockets(settings.bus, settings.bus_secret))
        loop = gevent.get_hub().loop
        publisher = Publisher(events, mode.source, defer=loop.run_callback)
        stack.callback(publisher.close)
        work = mode.begin(publisher, stack)
        heart = Heart(Notifier(settings.notify_socket), BEAT_S)
        pulse = Pulse(publisher, partial(_each_beat, work, events), heart)
        responder = Responder(Link(commands), work.dispatch)
        gc.freeze()  # the collector skips all loaded objects
        log.info("processor ready source=%s epoch=%s", publisher.source, publisher.epoch)
        _run_until(stop, [pulse.run, responder.run, *work.loops])
    log.info("processor stopped")


def _mode(settings: ProcessorSettings, stack: contextlib.ExitStack) -> Mode:
    """Make one of the two modes, and import only its code: imports are most of a start's cost."""
    if settings.upstream is not None:
        from processor.upstream.upstream import Upstream

        if settings.state is not None:
            make_private(settings.state, "--state")
        _claim_bus(settings.bus, stack)
        return Upstream(settings.upstream, settings.state)
    from processor.native.native import Native
    from processor.tools.descendants import adopt_orphans

    adopt_orphans()  # see processor.tools.process
    assert settings.state is not None, "from_flags has checked it"
    stack.enter_context(claimed(settings.state, "--state", _HOLDER))
    _claim_bus(settings.bus, stack)
    return Native(settings, stack)


def _run_until(stop: Event, loops: Sequence[Callable[[], None]]) -> None:
    """Run all loops until `stop` is set, or until one of them fails; its exception is raised."""
    greenlets = [gevent.spawn(loop) for loop in loops]
    for greenlet in greenlets:
        greenlet.link_exception(lambda _: stop.set())
    try:
        stop.wait()
    finally:
        gevent.killall(greenlets)
    for greenlet in greenlets:
        if greenlet.exception is not None:
            raise greenlet.exception


def _each_beat(work: Work, events: Broadcast) -> None:
    work.each_beat()
    events.tend()


def _claim_bus(bus: Endpoints, stack: contextlib.ExitStack) -> None:
    """Lock the folder of an ipc bus: binding would replace another processor's socket file."""
    if bus.folder is not None:
        stack.enter_context(claimed(bus.folder, "--bus", _HOLDER))


@contextlib.contextmanager
def _sockets(bus: Endpoints, secret: str | None) -> Iterator[tuple[Broadcast, zmq.Socket[bytes]]]:
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
        yield events, commands
    finally:
        # The last events of turns that were stopped are still being sent.
        events.close(LINGER_MS)
        commands.close(0)
        context.term()
