"""How much of one part's text the editor has, and what it still lacks.

Rules:

1. A delta continues the text where the server's last word about the part left off (`_at`). What
   the editor has of it already is not sent again.
2. A snapshot is all of the text so far. What it has beyond the editor's text is sent.
3. After a hole (events that were missed) it is unknown where a delta belongs. It is withheld until
   the next snapshot, so that the editor's text is a prefix of the truth at every moment.
4. White space at the end waits until something follows it or the part is closed, since older
   servers trim the closing text.
5. ACP cannot take text back. A closing text that does not continue what was sent is a
   `Replacement`, which the caller sends as a message of its own.

What was sent is kept as a length and a checksum, so a part costs the same however long it is.
Lengths are in characters.
"""

from __future__ import annotations

from zlib import crc32

from bus.json import well_formed

# What JavaScript's trimEnd() takes away.
_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_MOST_HELD = 4096


class Replacement(Exception):
    """The closing text of a part differs from the text that was sent; `text` is all of it."""

    def __init__(self, text: str) -> None:
        super().__init__("the text of a part has changed")
        self.text = text


class Text:
    """The text of one part on its way to the editor."""

    __slots__ = ("_at", "_checksum", "_held", "_padded", "_surrogate", "_told")

    def __init__(self) -> None:
        self._told = 0
        self._checksum = 0
        self._held = ""
        self._at: int | None = 0
        self._padded = False
        self._surrogate = ""

    def lose_place(self) -> None:
        """Note a hole: until the next snapshot, it is unknown where deltas belong."""
        self._at = None
        self._surrogate = ""

    @property
    def placed(self) -> bool:
        """Tell whether it is known where a delta belongs."""
        return self._at is not None

    def append(self, delta: str) -> str:
        """Return what a delta adds to the editor's text."""
        if self._at is None:
            return ""
        if self._surrogate or not delta.isascii():
            delta = self._paired(delta)
        have = self._told + len(self._held)
        begin, self._at = self._at, self._at + len(delta)
        return self._tell(delta[have - begin :])

    def replace(self, text: str, closed: bool) -> str:
        """Return what a snapshot adds to the editor's text.

        Raises:
            Replacement: it is closed, and does not continue what was sent.
        """
        text = _encodable(text)
        self._surrogate = ""
        self._at = len(text)
        if self._continues(text):
            if len(text) < self._told + len(self._held) and not closed:
                return ""
            self._held = ""
            rest = text[self._told :]
            return self._take(rest) if closed else self._tell(rest)
        if closed:
            return self._changed(text)
        if len(text) >= self._told:
            self._at = None
        return ""

    def flush(self) -> str:
        """Return what is withheld: the turn is over, and nothing more will come."""
        text, self._held = self._held, ""
        self._padded = self._padded or bool(text)
        return self._take(text)

    def _continues(self, text: str) -> bool:
        if len(text) < self._told:
            return False
        return crc32(text[: self._told].encode()) == self._checksum

    def _changed(self, text: str) -> str:
        told, self._told, self._held = self._told, len(text), ""
        self._checksum = crc32(text.encode())
        # White space that was flushed and then trimmed is no change.
        if self._padded and len(text) < told:
            return ""
        raise Replacement(text)

    def _tell(self, text: str) -> str:
        """Take text, but for the white space at its end."""
        text = self._held + text
        solid = text.rstrip(_SPACE)
        if len(text) - len(solid) > _MOST_HELD:
            solid, self._padded = text, True
        self._held = text[len(solid) :]
        return self._take(solid)

    def _take(self, text: str) -> str:
        self._told += len(text)
        self._checksum = crc32(text.encode(), self._checksum)
        return text

    def _paired(self, delta: str) -> str:
        """Join the halves of a surrogate pair that came in two deltas."""
        delta, self._surrogate = self._surrogate + delta, ""
        if "\ud800" <= delta[-1:] <= "\udbff":
            delta, self._surrogate = delta[:-1], delta[-1]
        return _encodable(delta)


def _encodable(text: str) -> str:
    """Return text as UTF-8 can hold it: pairs of surrogates joined, lone ones replaced."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return well_formed(text)
    return text
