"""The socket of one event stream: its buffer, whether the peer reads, and its end.

Theory of operation. Whether a write returns says little about the peer, since bytes wait in the
kernels of both sides. The bytes that a peer has accepted are those it has acknowledged, and the
kernel counts them (`TCP_INFO`). If a peer reads a little now and then, its window opens a little,
and the count grows. If a peer reads nothing, it acknowledges probes but no bytes. If a peer is
unreachable, it acknowledges nothing. For a peer on this machine whose window is closed, the kernel
is asked what the peer has read (`gateway.streams.neighbour`).

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
# Fields of `struct tcp_info`: ms since the last ACK, bytes acknowledged.
_TCP_INFO = struct.Struct("=56xI60xQ")
_QUEUED = struct.Struct("=i")
_NOTHING = bytes(_QUEUED.size)
_PROBES_LOST = 3
# The kernel sends probes of a closed window at doubling intervals, so at most half of the time an
# answer is due.
_UNANSWERED = 0.75
# The kernel's timeout is longer than weir's: it would give up without a reset to the peer.
_KERNEL_WAITS = 1.5
_VANISHED = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH)


class Account(NamedTuple):
    """The kernel's data about a connection.

    Attributes:
        accepted: a number that grows when the peer accepts bytes.
        silent_s: how long nothing has come from the peer.
    """

    accepted: int
    silent_s: float


class StreamConnection:
    """The connection that the current greenlet serves.

    Args:
        sock: gevent's socket.
        patience_s: how long the peer may be silent; the kernel's own timeout is set longer.
        neighbours: asks the kernel about peers on this machine.

    Attributes:
        owes: something may wait for the peer. `about_to_write` sets it; the caller sets it when a
            reader enters a lane.
        beaten_at: when a heartbeat was written while nothing else waited (`time.monotonic()`);
            None once the peer is known to have accepted it.
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
        # Without this, the kernel would buffer megabytes for a reader that reads nothing.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        if self._is_tcp and neighbours.unread(sock) is None:
            _probe(sock, patience_s)
        self._accepted: int | None = None
        self._unread: int | None = None
        self._moved_at = time.monotonic()

    def watch(self, on_gone: Callable[[Cause], None]) -> None:
        """Call `on_gone` once when the peer leaves, sends too much, or times out in the kernel.

        `on_gone` must not block. From now on, bytes from the peer are only read to be discarded.
        """
        self._watch = DeafWatch(self._sock, lambda error: on_gone(cause_of(error)))

    def about_to_write(self) -> None:
        """Note a write other than a heartbeat: bytes may wait from now on."""
        if self.beaten_at is not None:
            self.owes_nothing(time.monotonic())
        self.owes = True

    def owes_nothing(self, now: float) -> bool:
        """Return whether nothing waits for the peer, not even the last heartbeat."""
        if not self.owes and self.beaten_at is not None:
            self.owes = self.stalled(now)[0] > 0
        return not self.owes

    def stalled(self, now: float) -> tuple[float, Cause]:
        """Return how long the peer has accepted none of the bytes that wait, and the likely cause.

        If nothing waited at the last check, the time begins now.

        Args:
            now: `time.monotonic()`.

        Returns:
            Seconds, 0 if nothing waits; and `STALLED` or `BLACK_HOLED`.
        """
        beaten_at, self.beaten_at = self.beaten_at, None
        if not _queued(self._sock):
            self.owes, self._accepted = False, None
            return 0.0, Cause.STALLED
        account = _account(self._sock, self._is_tcp)
        if self._accepted is None or account.accepted > self._accepted:
            # A heartbeat that was written alone has waited since it was written.
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
        """Reset the connection, and end the greenlet that serves it; does not block.

        The greenlet gets a `ConnectionResetError` wherever it waits, usually in a write. A
        greenlet that calls this for itself must raise the error itself. After `release`, the
        connection is not closed here but by `Outlet.end`.
        """
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if self._greenlet is not None and self._greenlet is not gevent.getcurrent():
            self._greenlet.kill(ConnectionResetError(errno.ECONNRESET, reason), block=False)

    @contextmanager
    def deadline(self, within_s: float, reason: str) -> Iterator[None]:
        """Reset the connection if the write in the block takes too long."""
        timer = gevent.get_hub().loop.timer(within_s)
        timer.start(self.reset, reason)
        try:
            yield
        finally:
            timer.stop()
            timer.close()

    def release(self) -> None:
        """Note that the current greenlet no longer serves the connection."""
        self._greenlet = None

    def close(self) -> None:
        """Stop watching. After discarded bytes, the connection takes no further requests."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        watch.close()
        if watch.discarded:
            self.hang_up()

    def hang_up(self) -> None:
        """Shut down the reading side: the next read finds the end. Written bytes arrive."""
        try:
            self._sock.shutdown(socket.SHUT_RD)
        except OSError:
            return  # the connection is gone already


def _probe(sock: socket.socket, patience_s: float) -> None:
    """Let the kernel probe a peer on another machine, and time out in the end.

    The kernel would also time out a peer with a closed window. A peer on this machine cannot
    vanish without the kernel noticing, so no probes are set for it.
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
    if not is_tcp:  # the kernel only counts queued bytes; the queue shrinks when the peer reads
        return Account(-_queued(sock), 0.0)
    said = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    silent_ms, accepted = _TCP_INFO.unpack(said)
    return Account(accepted, silent_ms / 1000)


def cause_of(error: OSError | None) -> Cause:
    """Return why a stream ends after an error of its connection; None: FIN."""
    if isinstance(error, Flooding):
        return Cause.FLOODING
    return Cause.BLACK_HOLED if error is not None and error.errno in _VANISHED else Cause.GONE
