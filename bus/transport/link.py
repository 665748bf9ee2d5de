"""Sends and waits on ZeroMQ sockets, for publisher, subscriber, requester and responder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import gevent
import zmq

_READ = 1  # as libev names events


class FrameSender(Protocol):
    """Takes frames, and drops what it has no room for, as `bus.transport.broadcast` does."""

    def send(self, data: bytes) -> object:
        """Send a frame, without waiting."""


class EventInlet:
    """The inlet of events.

    Args:
        socket: a SUB socket, no green one: to wait for each message in a green socket costs more
            than all else that is done for the message.
        before_wait: called whenever all that has come is received.
    """

    def __init__(
        self, socket: zmq.Socket[bytes], before_wait: Callable[[], None] = lambda: None
    ) -> None:
        self._socket = socket
        self._before_wait = before_wait

    def receive(self) -> bytes:
        """Return the next frame; while there is none, other greenlets run.

        ZeroMQ's descriptor becomes readable when something changes after an attempt to receive.
        So it is safe to wait only after an attempt that found nothing, if no one else attempts.
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
        """Send a message without waiting; return whether somebody is there that takes it."""
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def receive(self) -> list[bytes]:
        """Return the frames of the next message; while there is none, other greenlets run."""
        return self.socket.recv_multipart()
