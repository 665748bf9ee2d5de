"""One HTTP/1.1 connection to the upstream: a socket, and h11's state machine."""

from __future__ import annotations

import contextlib
import socket

import gevent
import h11

from gateway.streams.peer_watch import peek, shut_down

PIECE_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 64 * 1024

Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class NothingHeard(Exception):
    """The upstream sent nothing in the given time.

    This is no `TimeoutError`, since a socket raises that error for a broken connection.
    """


class UpstreamConnection:
    """Sends requests and reads answers, one after another.

    Attributes:
        reused: the connection has been used for an earlier request.
        heard: the upstream has sent bytes since the present request began.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.reused = False
        self.heard = False
        self._sock = sock
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._closed = False

    @property
    def sock(self) -> socket.socket:
        """The socket, for watching it while the connection is idle."""
        return self._sock

    def send(self, event: h11.Event) -> None:
        """Send a part of the request, and wait until the socket takes it.

        Raises:
            OSError: the connection is broken.
            h11.LocalProtocolError: HTTP does not allow this part of a request here.
        """
        data = self._http.send(event)
        if data:
            self._sock.sendall(data)

    def next_event(self) -> Event:
        """Return the next event of the answer; `h11.NEED_DATA`: receive more bytes first.

        Raises:
            h11.RemoteProtocolError: the answer is not HTTP, or ended early.
        """
        return self._http.next_event()

    def receive(self, timeout_s: float) -> None:
        """Wait for bytes from the upstream.

        Raises:
            NothingHeard: no bytes came in time.
            OSError: the connection is broken.
        """
        with gevent.Timeout(timeout_s, NothingHeard()):
            data = self._sock.recv(PIECE_BYTES)
        self.heard = self.heard or bool(data)
        self._http.receive_data(data)

    def recycle(self) -> bool:
        """Prepare for another request; return whether the connection can be used again."""
        try:
            self._http.start_next_cycle()
        except h11.LocalProtocolError:
            return False
        self.reused, self.heard = True, False
        return not self._http.trailing_data[0]

    def left_over(self) -> bytes:
        """Return the bytes that came after an answer 101: the first bytes of the new protocol."""
        return bytes(self._http.trailing_data[0])

    def end_sending(self) -> None:
        """End the sending direction (TCP FIN); bytes from the upstream can still be received.

        Raises:
            OSError: the connection is broken.
        """
        shut_down(self._sock, socket.SHUT_WR)

    def is_quiet(self) -> bool:
        """Return whether an idle connection is open, and the upstream has sent nothing on it."""
        try:
            peek(self._sock.fileno())
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def abort(self) -> None:
        """Cut the connection; a greenlet that waits on it gets an error. Does not block."""
        if not self._closed:
            with contextlib.suppress(OSError):  # the connection may be gone already
                shut_down(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._sock.close()
