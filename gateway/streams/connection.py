"""The socket of one event stream: its buffer, whether the peer reads, and its end.

Theory of operation. That a write returns does not show that the peer reads, since bytes wait in
the kernels of both sides. But the kernel counts the bytes that the peer has acknowledged
(`TCP_INFO`). If a peer reads a little now and then, its TCP window opens a little, and the count
grows. If a peer reads nothing, it acknowledges probes but no bytes. If a peer is unreachable, it
acknowledges nothing. For a peer on this machine whose window is closed, the kernel is asked what
the peer has read (`gateway.streams.neighbour`).

weir ends a stream by a reset, never by FIN: clients stop after a clean end, and reconnect after a
reset. A reset also frees the kernel's buffer at once; after a FIN the buffer would wait for the
peer.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import gevent

from gateway.streams.evictions import Cause
from gateway.streams.neighbour import Neighbours
from gateway.streams.peer_watch import DeafWatch, Flooding

_SEND_BUFFER_BYTES = 256 * 1024
_RESET = struct.pack("ii", 1, 0)
# Two fields of Linux's `struct tcp_info`: ms since the last ACK came, and bytes acknowledged.
_TCP_INFO = struct.Struct("=56xI60xQ")
_QUEUED = struct.Struct("=i")
_NOTHING = bytes(_QUEUED.size)
_PROBES_LOST = 3
# A peer is unreachable if nothing came from it in this share of the time since it last accepted
# bytes. The kernel probes a closed window at doubling intervals, so a reachable peer with a closed
# window answers at least once in the last half of this time.
_UNANSWERED = 0.75
# The kernel's timeout is this many times as long as weir's, so that weir's comes first: weir sends
# the peer a reset, but the kernel would close the connection without a reset.
_KERNEL_WAITS = 1.5
_VANISHED = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH)


class Account(NamedTuple):
    """What the kernel knows about a connection.

    Attributes:
        accepted: a number that grows when the peer accepts bytes.
        silent_s: for how long no packet has come from the peer.
    """

    accepted: int
    silent_s: float


class StreamConnection:
    """The TCP or Unix socket of one event stream, and whether its peer accepts bytes.

    At first, the connection belongs to the greenlet that creates this object.

    Args:
        sock: gevent's socket.
        patience_s: how long the peer may send nothing before the kernel probes it.
        neighbours: asks the kernel about peers on this machine.

    Attributes:
        owes: whether the kernel may hold bytes that the peer has not accepted, other than a
            heartbeat. `about_to_write` sets it; a caller that writes in another way must set it.
        beaten_at: when a heartbeat was written while no other bytes waited (`time.monotonic()`);
            None once the peer is known to have accepted the heartbeat.
    """

    def __init__(self, sock: socket.socket, patience_s: float, neighbours: Neighbours) -> None:
        self._sock = sock
        self._neighbours = neighbours
        greenlet = gevent.getcurrent()
        assert isinstance(greenlet, gevent.Greenlet), "only a greenlet of its own can be ended"
        self._greenlet: gevent.Greenlet[..., object] | None = greenlet
        self.owes = True
        self.beaten_at: float | None = None
        self._is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6)
        self._watch: DeafWatch | None = None
        # With its default size, the kernel would buffer megabytes for a client that reads nothing.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        if self._is_tcp and neighbours.unread(sock) is None:
            _probe(sock, patience_s)
        self._accepted: int | None = None
        self._unread: int | None = None
        self._moved_at = time.monotonic()

    def watch(self, on_gone: Callable[[Cause], None]) -> None:
        """Call `on_gone` once when the peer leaves, sends too much, or times out in the kernel.

        `on_gone` must not block. Bytes from the peer are read and discarded from now on, since
        a client has nothing to send on an open event stream.
        """
        self._watch = DeafWatch(self._sock, lambda error: on_gone(cause_of(error)))

    def about_to_write(self) -> None:
        """Note that bytes other than a heartbeat are written now, which the peer has to accept."""
        if self.beaten_at is not None:
            self.owes_nothing(time.monotonic())
        self.owes = True

    def owes_nothing(self, now: float) -> bool:
        """Return whether the peer has accepted all bytes, including the last heartbeat."""
        if not self.owes and self.beaten_at is not None:
            self.owes = self.stalled(now)[0] > 0
        return not self.owes

    def stalled(self, now: float) -> tuple[float, Cause]:
        """Return how long the peer has accepted none of the waiting bytes, and the likely cause.

        If no bytes waited at the last call, the time begins now.

        Args:
            now: `time.monotonic()`.

        Returns:
            Seconds, 0 if no bytes wait; and `STALLED` (the peer is reachable) or `BLACK_HOLED`
            (it is not).
        """
        beaten_at, self.beaten_at = self.beaten_at, None
        if not _queued(self._sock):
            self.owes, self._accepted = False, None
            return 0.0, Cause.STALLED
        account = _account(self._sock, self._is_tcp)
        if self._accepted is None or account.accepted > self._accepted:
            # If only a heartbeat waits, it has waited since it was written.
            since = now if beaten_at is None or self.owes else beaten_at
            self._moved_at, self._unread, self.owes = since, None, True
        elif self._is_tcp and self._reads():
            self._moved_at = now
        self._accepted = account.accepted
        stalled_s = now - self._moved_at
        unheard = account.silent_s > _UNANSWERED * stalled_s
        return stalled_s, Cause.BLACK_HOLED if unheard else Cause.STALLED

    def _reads(self) -> bool:
        before, self._unread = self._unread, self._neighbours.unread(self._sock)
        return before is not None and self._unread is not None and self._unread < before

    def reset(self, reason: str) -> None:
        """Mark the connection for a TCP reset, and end its greenlet; does not block.

        A `ConnectionResetError` is raised in the greenlet wherever it waits, usually in a write. A
        greenlet that calls this for its own connection must raise the error itself. After
        `release`, no greenlet is ended, and the caller must close the socket (`Outlet.end`).
        """
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if self._greenlet is not None and self._greenlet is not gevent.getcurrent():
            self._greenlet.kill(ConnectionResetError(errno.ECONNRESET, reason), block=False)

    @contextmanager
    def deadline(self, within_s: float, reason: str) -> Iterator[None]:
        """Return a context manager that resets the connection if its block takes too long."""
        timer = gevent.get_hub().loop.timer(within_s)
        timer.start(self.reset, reason)
        try:
            yield
        finally:
            timer.stop()
            timer.close()

    def release(self) -> None:
        """Note that the greenlet no longer serves the connection, so `reset` must not end it."""
        self._greenlet = None

    def close(self) -> None:
        """Stop watching the peer; the connection may serve further requests.

        If bytes of the peer were discarded, a request may be incomplete, so none is read any more.
        """
        watch, self._watch = self._watch, None
        if watch is None:
            return
        watch.close()
        if watch.discarded:
            self.hang_up()

    def hang_up(self) -> None:
        """Let the next read find the end of the data; written bytes still reach the peer."""
        try:
            self._sock.shutdown(socket.SHUT_RD)
        except OSError:
            return  # the connection is gone already


def _probe(sock: socket.socket, patience_s: float) -> None:
    """Let the kernel probe a silent peer on another machine, and end the connection if it is gone.

    This is not done for a peer on this machine: it cannot vanish without the kernel noticing, and
    the timeout would also end a connection whose peer is alive but reads nothing.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        every_s = max(1, round(patience_s / _PROBES_LOST))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, round(patience_s)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, every_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES_LOST)
        timeout_ms = round(patience_s * _KERNEL_WAITS * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)


def _queued(sock: socket.socket) -> int:
    """Return how many bytes the kernel holds that the peer has not acknowledged."""
    if sys.platform != "linux":
        return 0
    (queued,) = _QUEUED.unpack(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, _NOTHING))
    return int(queued)


def _account(sock: socket.socket, is_tcp: bool) -> Account:
    if not is_tcp:  # for a Unix socket, the kernel only counts the bytes that are queued
        return Account(-_queued(sock), 0.0)
    said = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    silent_ms, accepted = _TCP_INFO.unpack(said)
    return Account(accepted, silent_ms / 1000)


def cause_of(error: OSError | None) -> Cause:
    """Return why a stream ends, from its connection's error, which is None after a FIN."""
    if isinstance(error, Flooding):
        return Cause.FLOODING
    return Cause.BLACK_HOLED if error is not None and error.errno in _VANISHED else Cause.GONE
