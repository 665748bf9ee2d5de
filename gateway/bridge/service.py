"""Builds a bridge from its settings, runs it, and stops it."""

from __future__ import annotations

import contextlib
import logging
import secrets
import signal
from collections.abc import Callable

import gevent
import zmq.green as zmq
from gevent.event import Event

from bus.process.allocator import give_back_large_blocks
from bus.process.folder import claimed
from bus.process.heart import Heart, Notifier
from bus.process.stack import show_stack_at_abort
from bus.redis.queue import ClientLink
from bus.transport.broadcast import Broadcast
from bus.transport.link import Link
from bus.transport.responder import Responder
from bus.transport.sockets import responder_socket
from gateway.bridge.commands import Commands
from gateway.bridge.processors import Processors
from gateway.bridge.reader import StreamReader
from gateway.bridge.settings import BridgeSettings

log = logging.getLogger("weir.bridge")

_BEAT_S = 0.1
_LINGER_MS = 200
_NAME_BYTES = 8


def run(settings: BridgeSettings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        CannotStart: the folder of the bus cannot be used; the message gives the reason.
    """
    show_stack_at_abort()
    give_back_large_blocks()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop.set)
    with contextlib.ExitStack() as stack:
        if settings.bus.folder is not None:
            stack.enter_context(claimed(settings.bus.folder, "--bus", "bridge"))
        context = zmq.Context()
        stack.callback(context.term)
        events = Broadcast(context, settings.bus.events)
        stack.callback(events.close, _LINGER_MS)
        commands = responder_socket(context, settings.bus.commands)
        stack.callback(commands.close, 0)
        reader = StreamReader(settings.redis, settings.login, events)
        processors = Processors(reader, settings.redis.url, _channels(settings))
        handler = Commands(processors).handle
        heart = Heart(Notifier(settings.notify_socket), _BEAT_S)
        loops = [reader.run, reader.watch, Responder(Link(commands), handler).run]
        greenlets = [gevent.spawn(loop) for loop in loops]
        for greenlet in greenlets:
            greenlet.link_exception(lambda _: stop.set())
        log.info("bridge ready")
        while not stop.wait(_BEAT_S):
            events.tend()
            heart.beat()
        gevent.killall(greenlets)
        for greenlet in greenlets:
            if greenlet.exception is not None:
                raise greenlet.exception


def _channels(settings: BridgeSettings) -> Callable[[str], ClientLink]:
    """Return a function that opens the command channel to a source.

    Answers come to a list of this bridge's own: its name is new at each start.
    """
    name = secrets.token_hex(_NAME_BYTES)

    def connect(source: str) -> ClientLink:
        return ClientLink(settings.redis, settings.login, f"{name}.{source}", source)

    return connect
