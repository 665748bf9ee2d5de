"""Which deltas may pass: those that continue the text which readers hold.

Rules:

1. opencode keeps no deltas. After a cut of the stream it is unknown which were missed, so every
   part that grew before it has a hole: its deltas are withheld.
2. A live snapshot of a part closes its hole. It holds the whole text of its time, and what
   follows it on the same connection continues it.
3. A part that a connection knows by its deltas alone has a hole too: it grew before.
4. But opencode may send a delta just before the first snapshot of its part (#26924). If the
   part's message was created on this connection, its parts were too, and the delta passes.
5. A part from REST closes no hole: deltas on their way may be older or newer than it.
6. But a part that has ended by REST does not begin again. A live snapshot that another will
   replace is older than that, and so are the deltas behind it: both are withheld.

So a delta passes if its part had a snapshot on this connection, or its message was created on it.
Created means by the server's own clock, since an old message may be updated at any time.

Both tables are bounded. What is forgotten counts as a hole, so a reader's text is late at worst,
and never wrong.
"""

from __future__ import annotations

from msgspec import Struct

MOST = 16_384
_BY_REST = 0


class _Text(Struct):
    """What readers hold of a part's text, and the connection that it came by.

    Attributes:
        ended: the part has ended by REST.
    """

    length: int
    connection: int
    ended: bool = False


class Holes:
    """Says of each delta whether it may pass; gets every event that is published.

    Args:
        most: how many parts, and how many messages, are remembered.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._connection = _BY_REST
        self._since_ms: int | None = None
        self._parts: dict[str, _Text] = {}
        self._created: dict[str, None] = {}

    def connected(self, since_ms: int | None) -> None:
        """Begin a connection.

        Args:
            since_ms: by the server's clock, a time that is not before it began; None: not known.
        """
        self._connection += 1
        self._since_ms = since_ms
        self._created.clear()

    def message(self, message: str, created_ms: int | None) -> None:
        """Note a message that was announced on this connection."""
        if created_ms is not None and self._since_ms is not None and created_ms >= self._since_ms:
            self._created[message] = None
            _bound(self._created, self._most)

    def snapshot(self, part: str, length: int) -> None:
        """Note a live snapshot, with the length of its text."""
        self._put(part, _Text(length, self._connection))

    def upsert(self, part: str, length: int, ended: bool) -> None:
        """Note a snapshot that was fetched over REST, and whether another will replace it."""
        self._put(part, _Text(length, _BY_REST, ended))

    def ended(self, part: str) -> bool:
        """Return whether the last news of a part came from REST, and the part has ended."""
        text = self._parts.get(part)
        return text is not None and text.ended

    def passes(self, part: str, message: str, length: int) -> bool:
        """Tell whether a delta that adds `length` characters may pass, and count it if so."""
        text = self._parts.get(part)
        if text is None:
            if message in self._created:
                return True
            self._put(part, _Text(0, _BY_REST))
            return False
        if text.connection != self._connection:
            return False
        text.length += length
        return True

    def held(self, part: str) -> int | None:
        """Return how many characters of a part readers hold, None where it is not known."""
        text = self._parts.get(part)
        return None if text is None else text.length

    def whole(self, part: str) -> bool:
        """Tell whether the deltas of a part pass."""
        text = self._parts.get(part)
        return text is not None and text.connection == self._connection

    def _put(self, part: str, text: _Text) -> None:
        self._parts.pop(part, None)
        self._parts[part] = text
        _bound(self._parts, self._most)


def _bound(table: dict[str, _Text] | dict[str, None], most: int) -> None:
    if len(table) > most:
        del table[next(iter(table))]
