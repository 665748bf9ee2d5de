"""One connection through the fault proxy: bytes pass both ways until its fault happens."""

import contextlib
import math
import socket
import struct
from collections.abc import Callable

import gevent

from tests.faults.fault import ENDS, Fault

_READ_BYTES = 1024 * 1024  # late is not slow: what waits comes together
_TRICKLE_BYTES = 64
_TRICKLE_PAUSE_S = 0.05


class Passage:
    """Joins a reader's socket and the server's.

    Args:
        reader: gevent socket of whoever connected.
        server: gevent socket to the gateway.
        fault: what happens between them.
        note: called when it happens.

    Attributes:
        passed: bytes of the answer that the reader was sent.
    """

    def __init__(
        self,
        reader: socket.socket,
        server: socket.socket,
        fault: Fault,
        note: Callable[[], None],
    ) -> None:
        self.passed = 0
        self._note = note
        self._reader = reader
        self._server = server
        self._fault = fault

    def run(self) -> None:
        """Let bytes pass until either side ends, or the fault ends it."""
        upward = gevent.spawn(self._upward)
        # An error of a socket is the reader's or the server's leaving.
        try:
            with contextlib.suppress(OSError):
                if self._downward():
                    upward.kill()
                    self._end()
        finally:
            upward.kill()
            self._reader.close()
            self._server.close()

    def _upward(self) -> None:
        """Pass requests, and the reader's leaving."""
        with contextlib.suppress(OSError):
            while data := self._reader.recv(_READ_BYTES):
                self._server.sendall(data)
            self._server.shutdown(socket.SHUT_WR)
            self._reader.shutdown(socket.SHUT_RDWR)

    def _downward(self) -> bool:
        """Pass the answer; tell whether the connection is to be broken."""
        if self._fault.kind == "none":
            self._pass(math.inf)
            return False
        if not self._pass(self._fault.after_bytes):
            return False
        self._note()
        if self._fault.kind in ENDS:
            return True
        self._begin()
        late_s = self._fault.seconds if self._fault.kind == "latency" else 0.0
        return self._pass(self.passed + self._fault.spared_bytes, late_s)

    def _pass(self, until: float, late_s: float = 0.0) -> bool:
        """Pass bytes until so many have passed; tell whether there were so many."""
        while self.passed < until:
            data = self._server.recv(int(min(until - self.passed, _READ_BYTES)))
            if not data:
                return False
            gevent.sleep(late_s)
            self._reader.sendall(data)
            self.passed += len(data)
        return True

    def _begin(self) -> None:
        """Have a fault begin after which bytes go on passing."""
        if self._fault.kind == "half-close to server":
            self._server.shutdown(socket.SHUT_WR)
        elif self._fault.kind == "trickle":
            self._trickle()

    def _trickle(self) -> None:
        """Pass a few bytes at a time, for as long as the fault lasts."""
        for _ in range(int(self._fault.seconds / _TRICKLE_PAUSE_S)):
            data = self._server.recv(_TRICKLE_BYTES)
            if not data:
                return
            self._reader.sendall(data)
            self.passed += len(data)
            gevent.sleep(_TRICKLE_PAUSE_S)

    def _end(self) -> None:
        """Have a fault happen that ends the connection."""
        kind = self._fault.kind
        if kind == "half-close to reader":
            self._reader.shutdown(socket.SHUT_WR)
        if kind in ("half-close to reader", "black hole"):
            gevent.sleep(self._fault.seconds)
        if kind != "close":
            for end in (self._reader, self._server):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
