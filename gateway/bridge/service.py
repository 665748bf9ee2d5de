"""Builds a bridge from its settings, runs it, and stops it."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable
from functools import partial

import gevent
import zmq.green as zmq

from bus.process.allocator import give_back_large_blocks
from bus.process.folder import claimed
from bus.process.heart import Heart, Notifier
from bus.process.stack import show_stack_at_abort
from bus.process.stopping import run_until, stop_event
from bus.redis.queue import ClientLink
from bus.transport.broadcast import Broadcast
from bus.transport.link import Link
from bus.transport.responder import Responder
from bus.transport.sockets import responder_socket
from gateway.bridge.commands import CommandRouter
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
    stop = stop_event()
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
        handler = CommandRouter(processors).handle
        heart = Heart(Notifier(settings.notify_socket), _BEAT_S)
        responder = Responder(Link(commands), handler)
        log.info("bridge ready")
        run_until(stop, [partial(_pulse, events, heart), reader.run, reader.watch, responder.run])


def _pulse(events: Broadcast, heart: Heart) -> None:
    """Do the small work that is due ten times a second, for ever."""
    while True:
        events.tend()
        heart.beat()
        gevent.sleep(_BEAT_S)


def _channels(settings: BridgeSettings) -> Callable[[str], ClientLink]:
    """Return a function that opens the command channel to a source.

    Answers come to a list of this bridge's own: its name is new at each start.
    """
    name = secrets.token_hex(_NAME_BYTES)

    def connect(source: str) -> ClientLink:
        return ClientLink(settings.redis, settings.login, f"{name}.{source}", source)

    return connect
