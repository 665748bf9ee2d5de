"""The four sockets of the bus, each with its high-water marks and linger stated.

A PUB at its mark drops: that is by design, the gap in seq shows it and is repaired. A frame holds
at most `bus.transport.publisher.BATCH_BYTES` (or one larger event), so a mark in frames also
bounds bytes.
"""

from __future__ import annotations

import zmq

EVENTS_HWM = 2048
COMMANDS_HWM = 1024
MAX_SUBSCRIPTION_BYTES = 256
MAX_COMMAND_BYTES = 64 * 1024 * 1024


def publisher_socket(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    """Return a PUB socket bound to `address`, which shows subscriptions.

    It is no green one: a send never waits, and what is subscribed to is looked at now and then.
    """
    socket = context.socket(zmq.XPUB, socket_class=zmq.Socket)
    socket.set(zmq.SNDHWM, EVENTS_HWM)
    # What peers send is subscriptions alone: few bytes, and not many at once.
    socket.set(zmq.RCVHWM, 1)
    socket.set(zmq.MAXMSGSIZE, MAX_SUBSCRIPTION_BYTES)
    socket.set(zmq.LINGER, 0)
    socket.bind(address)
    return socket


def subscriber_socket(
    context: zmq.Context[zmq.Socket[bytes]], addresses: list[str]
) -> zmq.Socket[bytes]:
    """Return a SUB socket that takes everything from every address.

    A filtered subscription could not tell a drop from a gap in seq. It is no green socket: to
    wait for each message in one costs more than all else that is done for the message.
    """
    socket = context.socket(zmq.SUB, socket_class=zmq.Socket)
    socket.set(zmq.RCVHWM, EVENTS_HWM)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.RECONNECT_IVL, 50)
    socket.set(zmq.RECONNECT_IVL_MAX, 200)
    socket.subscribe(b"")
    for address in addresses:
        socket.connect(address)
    return socket


def responder_socket(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    """Return a ROUTER socket bound to `address`."""
    socket = context.socket(zmq.ROUTER)
    socket.set(zmq.SNDHWM, COMMANDS_HWM)
    socket.set(zmq.RCVHWM, COMMANDS_HWM)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.MAXMSGSIZE, MAX_COMMAND_BYTES)
    socket.bind(address)
    return socket


def requester_socket(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    """Return a DEALER socket connected to `address`.

    IMMEDIATE: a command is refused at once while no processor is connected, instead of queued.
    """
    socket = context.socket(zmq.DEALER)
    socket.set(zmq.SNDHWM, COMMANDS_HWM)
    socket.set(zmq.RCVHWM, COMMANDS_HWM)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.IMMEDIATE, 1)
    socket.set(zmq.RECONNECT_IVL, 50)
    socket.set(zmq.RECONNECT_IVL_MAX, 200)
    socket.connect(address)
    return socket
