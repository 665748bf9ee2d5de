"""The sending end of a bus, bounded in what its peers may subscribe to.

A SUB may send any number of subscriptions, and ZeroMQ keeps them all; there is no way to refuse
one, nor to cut off a single peer. So the socket is an XPUB, which shows each new topic to its
owner. A subscriber of weir asks for one topic, the empty one. Past `MOST_TOPICS` the socket is
closed and bound anew: ZeroMQ forgets what was asked for, and subscribers of weir come again within
200 ms and repair the gap. What they miss meanwhile is in the journal.
"""

from __future__ import annotations

import logging
import time

import gevent
import zmq

from bus.transport.sockets import publisher_socket

log = logging.getLogger("weir.bus")

MOST_TOPICS = 1024
_SUBSCRIBED = b"\1"
_LEAST_AGE_S = 3.0
_FREE_WITHIN_S = 2.0
_LOOK_S = 0.005


class Broadcast:
    """Sends frames to every subscriber.

    Args:
        context: makes the socket.
        address: where it is bound.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        self._context = context
        self._address = address
        self._topics = 0
        self._bound_at = time.monotonic()
        self._socket: zmq.Socket[bytes] | None = publisher_socket(context, address)

    def send(self, data: bytes) -> None:
        """Send a frame; what is sent while there is no socket is a gap, as a drop would be."""
        if self._socket is not None:
            self._socket.send(data, zmq.NOBLOCK)

    def tend(self) -> None:
        """Count what peers subscribe to; to be called often."""
        for _ in range(2 * MOST_TOPICS):
            if self._socket is None:
                return
            try:
                asked = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._topics += 1 if asked[:1] == _SUBSCRIBED else -1
            if self._topics > MOST_TOPICS and self._may_begin_anew():
                self._begin_anew()

    def close(self, linger_ms: int) -> None:
        """Send what waits for so long at most, and close."""
        if self._socket is not None:
            self._socket.close(linger_ms)

    def _may_begin_anew(self) -> bool:
        """Tell whether subscribers had time to hear something since the last time."""
        age_s = time.monotonic() - self._bound_at
        return age_s >= _LEAST_AGE_S or self._topics > 16 * MOST_TOPICS

    def _begin_anew(self) -> None:
        log.warning(
            "more than %d topics are subscribed to at %s: the socket is opened again, and workers "
            "connect again",
            MOST_TOPICS,
            self._address,
        )
        if self._socket is not None:
            self._socket.close(0)
        self._socket, self._topics = None, 0
        end = time.monotonic() + _FREE_WITHIN_S
        # ZeroMQ closes in a thread of its own; until then a TCP port is taken.
        while self._socket is None:
            try:
                self._socket = publisher_socket(self._context, self._address)
            except zmq.ZMQError:
                if time.monotonic() > end:
                    raise
                gevent.sleep(_LOOK_S)
        self._bound_at = time.monotonic()
