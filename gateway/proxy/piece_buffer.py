"""Collects small pieces of an answer to a client, and writes them together."""

from __future__ import annotations

from gateway.door.wire import PIECE_BYTES, Wire


class PieceBuffer:
    """Collects bytes until there are enough for one write (`PIECE_BYTES`), or until `flush`."""

    def __init__(self, client: Wire) -> None:
        self._client = client
        self._waiting: list[bytes | bytearray] = []
        self._bytes = 0

    def write(self, data: bytes | bytearray) -> None:
        """Add `data`; if the buffer is full, write it, and wait until the client takes it.

        Raises:
            ClientGone: the client has left, or accepts no bytes for too long.
        """
        self._waiting.append(data)
        self._bytes += len(data)
        if self._bytes >= PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write all bytes, and wait until the client takes them.

        Raises:
            ClientGone: the client has left, or accepts no bytes for too long.
        """
        if not self._bytes:
            return
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        self._client.send(data)
