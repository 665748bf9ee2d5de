"""The server's end of a TLS connection; the caller reads and writes it like a plain socket.

Theory of operation. OpenSSL only encrypts and decrypts in memory; this module sends and receives
the ciphertext. So weir knows exactly what the kernel has taken, as for a plain socket.

1. `write_now` encrypts one record (16 KB) at a time. If the kernel takes only a part of a record,
   the record counts as not written, and the caller must pass the same bytes again, as after any
   partial write. Then the remaining ciphertext is sent, and the bytes are not encrypted again.
2. A connection holds at most one record in each direction, besides OpenSSL's own buffers.
3. weir sends a TLS alert (close_notify) before FIN. A client may end the connection without this
   alert: HTTP itself shows whether a message is complete.
"""

from __future__ import annotations

import _socket
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from gevent.lock import BoundedSemaphore
from gevent.socket import socket as GreenSocket

RECORD_BYTES = 16 * 1024
_CIPHERTEXT_BYTES = RECORD_BYTES + 512
_ENDS = (ssl.SSLZeroReturnError, ssl.SSLEOFError)


class TlsSocket(GreenSocket):
    """A server's TLS connection over the file descriptor of a plain socket.

    Args:
        plain: the connection; the caller must not use this object any more.
        context: has the server's certificate.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        family, kind, proto = plain.family, plain.type, plain.proto
        super().__init__(family, kind, proto, fileno=plain.detach())
        self._received, self._encrypted = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._encrypted, server_side=True)
        self._waiting = bytearray()  # ciphertext that the kernel has not taken
        self._owed = 0  # bytes whose ciphertext waits, and that the caller will pass again
        self._ahead = b""
        self._ended = self._reading = False
        self._writing = BoundedSemaphore(1)

    def handshake(self) -> None:
        """Do the TLS handshake.

        Raises:
            ssl.SSLError: the client does not speak TLS, or only versions that the server refuses.
            OSError: the connection is broken.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_waiting()
                self._receive()
            except ssl.SSLError as error:
                if error.reason != "HTTP_REQUEST":
                    self._send_waiting()  # the TLS alert, which says what is wrong
                raise
            else:
                self._send_waiting()
                return

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Wait for bytes from the client, and return them decrypted; b"" after the client's end.

        Raises:
            OSError: the connection is broken, or the bytes are not TLS.
        """
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        self._reading = True
        try:
            return self._next(size)
        finally:
            self._reading = False

    def peek(self) -> bytes:
        """Return the next decrypted byte without removing it; b"" after the client's end.

        Raises:
            BlockingIOError: no byte has come, or a greenlet waits for it in `recv`.
            OSError: the connection is broken.
        """
        if self._reading:
            raise BlockingIOError
        while not self._ahead:
            try:
                self._ahead = self._tls.read(RECORD_BYTES)
                self._answer_now()
                break
            except ssl.SSLWantReadError:
                self._take_in(self._receive_now())
            except _ENDS:
                break
        return self._ahead[:1]

    def write_now(self, data: bytes | memoryview) -> int:
        """Write as much as the kernel takes without blocking; return how many bytes of `data`.

        The caller must pass the other bytes of `data` again, first in its next write.

        Raises:
            BlockingIOError: the kernel takes nothing.
            OSError: the connection is broken.
        """
        view, written = memoryview(data), 0
        while self._encrypt(view, written):
            try:
                while self._waiting:
                    del self._waiting[: os.write(self.fileno(), self._waiting)]
            except BlockingIOError:
                if not written:
                    raise
                return written
            written += self._settle()
        return written

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Write `data`, and wait until the kernel has taken all of it.

        Raises:
            OSError: the connection is broken.
        """
        with self._writing:
            view, written = memoryview(data), 0
            while self._encrypt(view, written):
                self._send_waiting()
                written += self._settle()

    def send(self, data: Any, flags: int = 0) -> int:
        """Write `data` as `sendall` does; return its length."""
        self.sendall(data)
        return len(data)

    def send_plain(self, data: bytes) -> None:
        """Send `data` unencrypted, to a client that does not speak TLS."""
        while data:
            data = data[super().send(data) :]

    def shutdown(self, how: int) -> None:
        """Shut down one direction or both.

        Before FIN, a TLS alert (close_notify) is sent if this does not block.
        """
        if how != socket.SHUT_RD and not self._waiting and not self._ended:
            self._ended = True
            with suppress(ssl.SSLError):
                self._tls.unwrap()
            self._answer_now()
        super().shutdown(how)

    def _next(self, size: int) -> bytes:
        while True:
            try:
                data = self._tls.read(size)
            except ssl.SSLWantReadError:
                self._receive()
            except _ENDS:
                return b""
            except ssl.SSLError:
                if not self._ended:
                    raise
                # After weir's close_notify, OpenSSL may fail on bytes that a client still sends.
                # They are received and dropped: unread bytes would cause a reset.
                while super().recv(size):
                    pass
                return b""
            else:
                self._answer_now()
                return data

    def _encrypt(self, view: memoryview, written: int) -> bool:
        """Encrypt the next record, unless a record waits; return False if nothing is to send."""
        if not self._waiting and not self._owed and written < len(view):
            self._owed = self._tls.write(view[written : written + RECORD_BYTES])
            self._waiting += self._encrypted.read()
        return bool(self._waiting or self._owed)

    def _settle(self) -> int:
        owed, self._owed = self._owed, 0
        return owed

    def _send_waiting(self) -> None:
        self._waiting += self._encrypted.read()
        while self._waiting:
            sent = super().send(self._waiting)
            del self._waiting[:sent]

    def _answer_now(self) -> None:
        """Send OpenSSL's own messages, such as new keys, as far as the kernel takes them now."""
        if not self._encrypted.pending:
            return
        self._waiting += self._encrypted.read()
        if not self._writing.locked():
            with suppress(OSError):
                del self._waiting[: os.write(self.fileno(), self._waiting)]

    def _receive(self) -> None:
        self._take_in(super().recv(_CIPHERTEXT_BYTES))

    def _receive_now(self) -> bytes:
        plain = _socket.socket(fileno=self.fileno())
        try:
            return plain.recv(_CIPHERTEXT_BYTES, _socket.MSG_DONTWAIT)
        finally:
            plain.detach()

    def _take_in(self, ciphertext: bytes) -> None:
        if ciphertext:
            self._received.write(ciphertext)
        else:
            self._received.write_eof()


def writer_of(sock: socket.socket) -> Callable[[bytes], int]:
    """Return a function that writes bytes to a socket without blocking.

    The function returns how many bytes the kernel took, and raises `BlockingIOError` if none.
    """
    return sock.write_now if isinstance(sock, TlsSocket) else partial(os.write, sock.fileno())
