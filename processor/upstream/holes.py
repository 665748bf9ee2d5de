"""Decides which deltas pass: only those that continue the text that readers have.

Rules:

1. opencode keeps no deltas, so after a cut it is unknown which deltas were missed. Every part that
   was growing before the cut has a *hole*: its deltas are withheld.
2. A live snapshot of a part closes the hole. It contains the whole text so far, and the later
   deltas on the same connection continue this text.
3. A part whose first event on a connection is a delta has a hole too: it may have grown before.
4. But opencode may send a delta just before the first snapshot of its part (#26924). If the part's
   message was created on this connection, so was the part, and the delta passes.
5. A snapshot from REST closes no hole: the deltas that arrive after it may be older or newer.
6. A part that has ended according to REST must not begin to grow again. A live snapshot that is
   not final is older than REST's, and so are the deltas after it: both are withheld.

So a delta passes if its part had a snapshot on this connection, or if its message was created on
this connection. When a message was created is decided by the server's clock, since an old message
may be updated at any time.

Both tables are bounded. A part that was dropped from its table counts as one with a hole: readers
may get its text late, but never a wrong text.
"""

from __future__ import annotations

from msgspec import Struct

MOST = 16_384
_BY_REST = 0


class _Text(Struct):
    """The text of a part that readers have, and the connection that it came by.

    Attributes:
        ended: the part has ended according to REST.
    """

    length: int
    connection: int
    ended: bool = False


class Holes:
    """Decides for each delta whether it passes; all other published events are reported to it.

    Args:
        most: how many parts, and how many messages, are kept.
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
            since_ms: a time on the server's clock that is not before the connection began; None if
                it is not known.
        """
        self._connection += 1
        self._since_ms = since_ms
        self._created.clear()

    def message(self, message: str, created_ms: int | None) -> None:
        """Note a message that came on this connection."""
        if created_ms is not None and self._since_ms is not None and created_ms >= self._since_ms:
            self._created[message] = None
            _bound(self._created, self._most)

    def snapshot(self, part: str, length: int) -> None:
        """Note a live snapshot with the length of its text."""
        self._put(part, _Text(length, self._connection))

    def upsert(self, part: str, length: int, ended: bool) -> None:
        """Note a snapshot from REST; `ended`: no later snapshot will replace it."""
        self._put(part, _Text(length, _BY_REST, ended))

    def ended(self, part: str) -> bool:
        """Return whether the last snapshot of a part came from REST, and the part has ended."""
        text = self._parts.get(part)
        return text is not None and text.ended

    def passes(self, part: str, message: str, length: int) -> bool:
        """Return whether a delta of `length` characters passes, and count the delta if so."""
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
        """Return how many characters of a part readers have, None if it is not known."""
        text = self._parts.get(part)
        return None if text is None else text.length

    def whole(self, part: str) -> bool:
        """Return whether readers have the text of a part without a gap; its deltas pass then."""
        text = self._parts.get(part)
        return text is not None and text.connection == self._connection

    def _put(self, part: str, text: _Text) -> None:
        self._parts.pop(part, None)
        self._parts[part] = text
        _bound(self._parts, self._most)


def _bound(table: dict[str, _Text] | dict[str, None], most: int) -> None:
    if len(table) > most:
        del table[next(iter(table))]
