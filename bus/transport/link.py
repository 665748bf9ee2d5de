"""Sending and waiting on ZeroMQ sockets, for publisher, subscriber, requester and responder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import gevent
import zmq

_READ = 1  # libev's number for "readable"


class FrameSender(Protocol):
    """Sends frames, and drops a frame if its buffer is full; see `bus.transport.broadcast`."""

    def send(self, data: bytes) -> object:
        """Send a frame, without waiting."""


class ServerEnd(Protocol):
    """The processor's end of the command channel, over ZeroMQ or Redis."""

    def send(self, peer: bytes, data: bytes, /) -> bool:
        """Send an answer to a peer; return whether it may arrive."""

    def receive(self) -> list[bytes]:
        """Return the peer that sent the next command, and the frames of the command."""


class ClientEnd(Protocol):
    """The other end of the command channel."""

    def send(self, data: bytes, /) -> bool:
        """Send a command; return whether it may arrive."""

    def receive(self) -> list[bytes]:
        """Return the frames of the next answer."""


class EventInlet:
    """Receives the frames of a bus.

    Args:
        socket: a plain SUB socket, not a green one: waiting for each message in a green socket
            costs more than all other work on the message.
        before_wait: called whenever all available frames are received.
    """

    def __init__(
        self, socket: zmq.Socket[bytes], before_wait: Callable[[], None] = lambda: None
    ) -> None:
        self._socket = socket
        self._before_wait = before_wait

    def receive(self) -> bytes:
        """Return the next frame; other greenlets run while there is none.

        ZeroMQ's file descriptor becomes readable when something changes after an attempt to
        receive. So it is safe to wait only after an attempt that found nothing, and only if this
        greenlet alone receives.
        """
        while True:
            try:
                return self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                self._before_wait()
                gevent.get_hub().wait(self._readable)

    @cached_property
    def _readable(self) -> Any:
        return gevent.get_hub().loop.io(int(self._socket.get(zmq.FD)), _READ)


class Link:
    """One end of the command channel.

    Args:
        socket: a DEALER or ROUTER socket of a green context.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket

    def send(self, *frames: bytes) -> bool:
        """Send a message without waiting; return whether a peer is connected that accepts it."""
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def receive(self) -> list[bytes]:
        """Return the frames of the next message; other greenlets run while there is none."""
        return self.socket.recv_multipart()
