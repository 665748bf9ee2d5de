"""The four sockets of the bus, each with its high-water marks and linger.

A PUB socket drops frames at its high-water mark, by design: the gap in seq shows the loss, and is
repaired. A frame has at most `bus.transport.publisher.BATCH_BYTES` (or one larger event), so a
limit in frames also limits bytes.
"""

from __future__ import annotations

import zmq

EVENTS_HWM = 2048
COMMANDS_HWM = 1024
MAX_SUBSCRIPTION_BYTES = 256
MAX_COMMAND_BYTES = 64 * 1024 * 1024


def publisher_socket(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    """Return a PUB socket bound to `address`, which shows subscriptions.

    It is a plain socket, not a green one: a send never waits, and subscriptions are polled.
    """
    socket = context.socket(zmq.XPUB, socket_class=zmq.Socket)
    socket.set(zmq.SNDHWM, EVENTS_HWM)
    # Peers send subscriptions only: few bytes, and not many at once.
    socket.set(zmq.RCVHWM, 1)
    socket.set(zmq.MAXMSGSIZE, MAX_SUBSCRIPTION_BYTES)
    socket.set(zmq.LINGER, 0)
    socket.bind(address)
    return socket


def subscriber_socket(
    context: zmq.Context[zmq.Socket[bytes]], addresses: list[str]
) -> zmq.Socket[bytes]:
    """Return a SUB socket that receives everything from every address.

    With a filtered subscription, events that the filter removed would look like lost events.
    The socket is a plain `zmq.Socket`, not one of `zmq.green`: to wait for each message in a green
    socket costs more than all other work on the message.
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

    IMMEDIATE: while no processor is connected, a command fails at once instead of being queued.
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
