"""The socket of one event stream: what it may hold, whether its peer reads, and its end.

Theory of operation. That a write returned says nothing of the peer, and that it did not return
says little: bytes wait in the kernel on both sides. What the peer has accepted is what it has
acknowledged, and the kernel keeps that account (`TCP_INFO`). A peer that reads a little now and
then opens its window a little, and the account grows; a peer that reads nothing acknowledges
probes, but no byte; a peer that is cut off acknowledges nothing. A peer on this machine whose
window is shut is asked for what it reads (`gateway.streams.neighbour`).

The end is a reset, never FIN: after a clean end clients stop, after a reset they come again. It
also frees at once what the kernel holds, which FIN would have wait for the peer.
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
from gateway.streams.peer import DeafWatch, Flooding

_SEND_BUFFER_BYTES = 256 * 1024
_RESET = struct.pack("ii", 1, 0)
# Of `struct tcp_info`: ms since the last ACK, bytes acknowledged.
_TCP_INFO = struct.Struct("=56xI60xQ")
_QUEUED = struct.Struct("=i")
_NOTHING = bytes(_QUEUED.size)
_PROBES_LOST = 3
# Probes of a closed window come at doubling distances, so half the time at most lacks an answer.
_UNANSWERED = 0.75
# The kernel gives up later than weir: it would do so without a word to the peer.
_KERNEL_WAITS = 1.5
_VANISHED = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH)


class Account(NamedTuple):
    """What the kernel says of a connection.

    Attributes:
        accepted: grows when the peer accepts bytes.
        silent_s: how long the peer has not been heard.
    """

    accepted: int
    silent_s: float


class StreamConnection:
    """The connection of the greenlet that makes this object.

    Args:
        sock: gevent's socket.
        patience_s: how long its peer may be silent; for the kernel, which is to wait longer.
        neighbours: asked where acknowledgements say nothing.

    Attributes:
        owes: something may wait for the peer. `about_to_write` sets it; to be set as well when a
            reader enters a lane.
        beaten_at: when a heartbeat was written while nothing else waited, as long as it is not
            known whether the peer has accepted it; by `time.monotonic()`.
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
        # Left to itself the kernel would hold megabytes for a reader that reads nothing.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        if self._is_tcp and neighbours.unread(sock) is None:
            _probe(sock, patience_s)
        self._accepted: int | None = None
        self._unread: int | None = None
        self._moved_at = time.monotonic()

    def watch(self, on_gone: Callable[[Cause], None]) -> None:
        """Call back once when the peer leaves or floods, or the kernel gives it up.

        That must not block. Nothing more is read of the connection, other than to be discarded.
        """
        self._watch = DeafWatch(self._sock, lambda error: on_gone(cause_of(error)))

    def about_to_write(self) -> None:
        """Note that something else than a heartbeat is written now: whatever waits, waits on."""
        if self.beaten_at is not None:
            self.owes_nothing(time.monotonic())
        self.owes = True

    def owes_nothing(self, now: float) -> bool:
        """Tell whether nothing waits for the peer, not even the last heartbeat."""
        if not self.owes and self.beaten_at is not None:
            self.owes = self.stalled(now)[0] > 0
        return not self.owes

    def stalled(self, now: float) -> tuple[float, Cause]:
        """Return for how long the peer has accepted nothing of what waits, and what it looks like.

        Where nothing waited at the last look, what waits now came since, and the time begins now.

        Args:
            now: `time.monotonic()`.

        Returns:
            Seconds, 0 while nothing waits; and `STALLED` or `BLACK_HOLED`.
        """
        beaten_at, self.beaten_at = self.beaten_at, None
        if not _queued(self._sock):
            self.owes, self._accepted = False, None
            return 0.0, Cause.STALLED
        account = _account(self._sock, self._is_tcp)
        if self._accepted is None or account.accepted > self._accepted:
            # A heartbeat that was written alone has waited since then.
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
        """End the connection by RST, and the greenlet that serves it; does not block.

        That greenlet gets a `ConnectionResetError` wherever it waits, in a write above all. One
        that calls this for itself is to raise it itself. After `release` the connection is not
        closed here: `Outlet.end` closes it.
        """
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if self._greenlet is not None and self._greenlet is not gevent.getcurrent():
            self._greenlet.kill(ConnectionResetError(errno.ECONNRESET, reason), block=False)

    @contextmanager
    def deadline(self, within_s: float, reason: str) -> Iterator[None]:
        """Reset the connection if the write within the block takes too long."""
        timer = gevent.get_hub().loop.timer(within_s)
        timer.start(self.reset, reason)
        try:
            yield
        finally:
            timer.stop()
            timer.close()

    def release(self) -> None:
        """Let the greenlet go: from now on it does not serve the connection any more."""
        self._greenlet = None

    def close(self) -> None:
        """Stop watching. Where something was discarded, no other request can be made out."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        watch.close()
        if watch.discarded:
            self.hang_up()

    def hang_up(self) -> None:
        """End the reading side: the next read finds the end. Bytes written before still arrive."""
        try:
            self._sock.shutdown(socket.SHUT_RD)
        except OSError:
            return  # it is gone, which is an end too


def _probe(sock: socket.socket, patience_s: float) -> None:
    """Have the kernel look after a peer elsewhere, and give it up in the end.

    It would give up one with a shut window as well, so a peer on this machine is left to weir:
    that one cannot vanish without the kernel knowing.
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
    """Return how many bytes the kernel holds that the peer has not taken."""
    if sys.platform != "linux":
        return 0
    (queued,) = _QUEUED.unpack(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, _NOTHING))
    return int(queued)


def _account(sock: socket.socket, is_tcp: bool) -> Account:
    if not is_tcp:  # the kernel counts only what is queued: a queue that shrinks is read from
        return Account(-_queued(sock), 0.0)
    said = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    silent_ms, accepted = _TCP_INFO.unpack(said)
    return Account(accepted, silent_ms / 1000)


def cause_of(error: OSError | None) -> Cause:
    """Return why a stream ends whose connection is broken; None stands for FIN."""
    if isinstance(error, Flooding):
        return Cause.FLOODING
    return Cause.BLACK_HOLED if error is not None and error.errno in _VANISHED else Cause.GONE
