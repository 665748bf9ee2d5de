"""One connection through the fault proxy: bytes pass both ways until its fault happens."""

import contextlib
import socket
import struct
from collections.abc import Callable

import gevent

from tests.faults.fault import Fault

_READ_BYTES = 16 * 1024
_TRICKLE_BYTES = 64
_TRICKLE_PAUSE_S = 0.05
_ENDS = ("black hole", "reset", "close", "half-close to reader")


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
        """Pass the answer; tell whether the fault is to end the connection."""
        fault, happened = self._fault, False
        while True:
            left = fault.after_bytes - self.passed
            if left <= 0 and not happened and fault.kind != "none":
                happened = True
                self._note()
                if fault.kind in _ENDS:
                    return True
                self._begin()
            data = self._server.recv(min(left, _READ_BYTES) if left > 0 else _READ_BYTES)
            if not data:
                return False
            if happened and fault.kind == "latency":
                gevent.sleep(fault.seconds)
            self._reader.sendall(data)
            self.passed += len(data)

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
