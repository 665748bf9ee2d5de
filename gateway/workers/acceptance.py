"""Accepts connections, and first serves those whose client has sent something.

Connections are accepted in order. To begin to serve a connection takes 50 µs; to check whether its
client has sent something takes a fourth of that. So thousands of silent connections delay the
others only by the time of the checks. Silent connections are served later, a few at a time. A
connection that its client has reset meanwhile is not served.
"""

from __future__ import annotations

import _socket
import os
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from gevent.pool import Group
from gevent.server import StreamServer
from gevent.socket import socket as GreenSocket

if TYPE_CHECKING:  # the master must not import it: workers after a reload would have old code
    from gateway.door.slots import Slots

_TAKEN_AT_ONCE = 128
# How many connections a worker begins to serve in one turn of its event loop. With more, one
# worker would take connections that another worker has time for. With fewer, a burst would fill
# the listening socket's queue, and further connections would wait for a second or more.
_SERVED_AT_ONCE = 4
_PAUSE_S = 0.001
_CLOSED = b"\x07"
"""The first byte of `struct tcp_info` after a reset: state `TCP_CLOSE`, unlike after a FIN."""

Handle = Callable[[Any, Any], object]


class Acceptance(StreamServer):
    """Accepts connections up to the limit in `slots`; the others wait in the listening socket.

    `handle` must close the connection, and not this class: an event stream stays open after the
    greenlet that has served its request.

    Args:
        listener: the listening socket.
        handle: serves a connection, given its socket and the client's address.
        greenlets: the group of the greenlets that serve connections.
        slots: counts the connections of the worker, and has their limit.
        shared: other workers accept from the same socket.
    """

    def __init__(
        self, listener: Any, handle: Handle, greenlets: Group, slots: Slots, shared: bool
    ) -> None:
        super().__init__(listener, handle, spawn=greenlets.spawn)  # type: ignore[call-overload]
        self.max_accept = _TAKEN_AT_ONCE
        self._slots = slots
        self._most_served = _SERVED_AT_ONCE if shared else _TAKEN_AT_ONCE
        self._served = 0
        self._silent: deque[tuple[int, Any]] = deque()
        slots.on_room.append(self._accept_again)

    def do_read(self) -> tuple[int, Any] | None:  # type: ignore[override]
        """Accept a connection; None if none waits, or if enough were served in this turn.

        gevent calls this again and again until the result is None.
        """
        if self._served < self._most_served:
            try:
                accepted: tuple[int, Any] = self.socket._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                pass
            else:
                self._slots.come()
                return accepted
        self._served = 0
        return None

    def do_handle(self, fd: Any, address: Any) -> None:
        """Begin to serve a connection, or postpone it if its client has sent nothing yet."""
        plain = _socket.socket(self.socket.family, self.socket.type, self.socket.proto, fd)
        try:
            reset, silent = _is_reset(plain), _is_silent(plain)
        finally:
            plain.detach()
        if reset:
            os.close(fd)
            self._slots.leave_unserved()
        elif silent:
            if not self._silent:
                gevent.spawn(self._serve_silent)
            self._silent.append((fd, address))
        else:
            self._served += 1
            self._serve(fd, address)

    def do_close(self, *accepted: Any) -> None:
        """Close a connection that gevent could not serve; `handle` closes all others."""
        if isinstance(accepted[0], int):
            os.close(accepted[0])

    def close(self) -> None:
        """Accept no more connections; accepted connections are still served."""
        self._serve_some(len(self._silent))
        super().close()

    def full(self) -> bool:
        """Return whether the worker has as many connections as allowed."""
        return self._slots.full

    def _accept_again(self) -> None:
        if self.started:
            self.start_accepting()

    def _serve_silent(self) -> None:
        while self._silent:
            gevent.sleep(_PAUSE_S)
            self._serve_some(_SERVED_AT_ONCE)

    def _serve_some(self, most: int) -> None:
        for _ in range(min(most, len(self._silent))):
            self._serve(*self._silent.popleft())

    def _serve(self, fd: int, address: Any) -> None:
        client = GreenSocket(self.socket.family, self.socket.type, self.socket.proto, fileno=fd)
        super().do_handle(client, address)


def _is_reset(client: _socket.socket) -> bool:
    try:
        return client.getsockopt(_socket.IPPROTO_TCP, _socket.TCP_INFO, 1) == _CLOSED
    except (OSError, AttributeError):  # a Unix socket, or another system than Linux
        return False


def _is_silent(client: _socket.socket) -> bool:
    try:
        client.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a broken connection is served, too: the first read ends it
    return False
