"""A client that sends exactly the bytes a test wants, and keeps exactly the bytes it gets."""

import json
import socket
import struct
import time
from typing import Any
from urllib.parse import urlsplit

from tests.processes import DEADLINE_S


class RawClient:
    """One connection to a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.authority = f"{parts.hostname}:{parts.port}"
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=DEADLINE_S)
        self.got = b""

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send `data` as it is."""
        self.socket.sendall(data)

    def get(self, target: str, *headers: str, method: str = "GET") -> None:
        """Send a request without a body."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.authority}", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))

    def until(self, end: bytes) -> bytes:
        """Return all up to and with `end`.

        Raises:
            EOFError: the server ended the connection before.
            TimeoutError: the server sends other bytes for too long.
        """
        give_up_at = time.monotonic() + DEADLINE_S
        while end not in self.got:
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"no {end!r} within {DEADLINE_S} s: {self.got[-500:]!r}")
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self.got)
            self.got += data
        cut = self.got.index(end) + len(end)
        taken, self.got = self.got[:cut], self.got[cut:]
        return taken

    def head(self) -> list[str]:
        """Return the lines of an answer's head."""
        return self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")[:-2]

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        while len(self.got) < size:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self.got)
            self.got += data
        taken, self.got = self.got[:size], self.got[size:]
        return taken

    def rest(self) -> tuple[bytes, str]:
        """Return all that comes, and how it ends: "end" or "reset"."""
        while True:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return self.got, "reset"
            if not data:
                return self.got, "end"
            self.got += data

    def json(self) -> tuple[int, list[str], Any]:
        """Return status, head and JSON of an answer with a length."""
        head = self.head()
        size = next(int(h.split(":")[1]) for h in head if h.lower().startswith("content-length:"))
        return int(head[0].split()[1]), head, json.loads(self.read(size))

    def reset(self) -> None:
        """Leave as a crash would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
