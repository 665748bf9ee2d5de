"""The sending end of the bus, with a bound on the subscriptions of its peers.

A SUB socket may send any number of subscriptions, and ZeroMQ keeps them all. ZeroMQ can neither
refuse a subscription nor disconnect a single peer. So this socket is an XPUB, which shows each new
topic to its owner. A subscriber of weir subscribes to one topic, the empty one. Past `MOST_TOPICS`
topics the socket is closed and bound again. ZeroMQ then forgets all subscriptions; the subscribers
of weir connect again within 200 ms and repair the gap from the journal.
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
        """Send a frame; while there is no socket, the frame is lost and leaves a gap."""
        if self._socket is not None:
            self._socket.send(data, zmq.NOBLOCK)

    def tend(self) -> None:
        """Read new subscriptions, and open the socket again if there are too many.

        To be called often.
        """
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
        """Close the socket, after at most `linger_ms` for frames that are still queued."""
        if self._socket is not None:
            self._socket.close(linger_ms)

    def _may_begin_anew(self) -> bool:
        """Return whether the socket may be closed: subscribers have received frames from it.

        Otherwise a peer that subscribes to many topics could keep all subscribers disconnected.
        """
        age_s = time.monotonic() - self._bound_at
        return age_s >= _LEAST_AGE_S or self._topics > 16 * MOST_TOPICS

    def _begin_anew(self) -> None:
        log.warning(
            "the clients of the event socket %s hold more than %d subscriptions, so some client "
            "is not a worker of weir; the socket is closed and opened again to drop all "
            "subscriptions, and the workers reconnect by themselves",
            self._address,
            MOST_TOPICS,
        )
        if self._socket is not None:
            self._socket.close(0)
        self._socket, self._topics = None, 0
        end = time.monotonic() + _FREE_WITHIN_S
        # ZeroMQ closes the old socket in another thread, and the TCP port is in use until then.
        while self._socket is None:
            try:
                self._socket = publisher_socket(self._context, self._address)
            except zmq.ZMQError:
                if time.monotonic() > end:
                    raise
                gevent.sleep(_LOOK_S)
        self._bound_at = time.monotonic()
