"""How much of one part's text the editor has, and which text must still be sent.

Rules:

1. A delta continues the text where the server's last event of the part ended (`_at`). If the
   editor has a beginning of the delta's text already, only the remainder is sent.
2. A snapshot has the whole text so far. The text in it that the editor lacks is sent.
3. After a gap (missed events) it is unknown where a delta belongs. Deltas are dropped until the
   next snapshot, so that the editor's text is always a prefix of the true text.
4. White space at the end of the text is held back until more text follows or the part is closed,
   because older servers trim the text of the last snapshot.
5. Text that was sent cannot be changed in ACP. If the last snapshot does not continue the sent
   text, `Replacement` is raised, and the caller sends the whole text as a new message.

Only the length and a checksum of the sent text are kept, so the memory for a part does not grow
with its text. Lengths are in characters.
"""

from __future__ import annotations

from zlib import crc32

from bus.json import well_formed

# The characters that JavaScript's trimEnd() removes.
_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_MOST_HELD = 4096


class Replacement(Exception):
    """The last text of a part does not continue the sent text; `text` is the whole last text."""

    def __init__(self, text: str) -> None:
        super().__init__("the text of a part has changed")
        self.text = text


class PartText:
    """Tracks which beginning of one part's text was sent to the editor."""

    __slots__ = ("_at", "_checksum", "_held", "_padded", "_sent", "_surrogate")

    def __init__(self) -> None:
        self._sent = 0
        self._checksum = 0
        self._held = ""
        self._at: int | None = 0
        self._padded = False
        self._surrogate = ""

    def note_gap(self) -> None:
        """Note a gap: until the next snapshot, it is unknown where deltas belong."""
        self._at = None
        self._surrogate = ""

    @property
    def placed(self) -> bool:
        """Whether it is known where in the text the next delta belongs."""
        return self._at is not None

    def append(self, delta: str) -> str:
        """Take a delta; return the text to send to the editor, which may be empty."""
        if self._at is None:
            return ""
        if self._surrogate or not delta.isascii():
            delta = self._paired(delta)
        have = self._sent + len(self._held)
        begin, self._at = self._at, self._at + len(delta)
        return self._take_trimmed(delta[have - begin :])

    def replace(self, text: str, closed: bool) -> str:
        """Take a snapshot; return the text to send to the editor, which may be empty.

        Args:
            text: the whole text of the part so far.
            closed: whether the text is complete.

        Raises:
            Replacement: the text is complete, and does not continue the sent text.
        """
        text = _encodable(text)
        self._surrogate = ""
        self._at = len(text)
        if self._continues(text):
            if len(text) < self._sent + len(self._held) and not closed:
                return ""
            self._held = ""
            rest = text[self._sent :]
            return self._take(rest) if closed else self._take_trimmed(rest)
        if closed:
            return self._changed(text)
        if len(text) >= self._sent:
            self._at = None
        return ""

    def flush(self) -> str:
        """Return the white space that was held back, because the turn has ended."""
        text, self._held = self._held, ""
        self._padded = self._padded or bool(text)
        return self._take(text)

    def _continues(self, text: str) -> bool:
        if len(text) < self._sent:
            return False
        return crc32(text[: self._sent].encode()) == self._checksum

    def _changed(self, text: str) -> str:
        sent, self._sent, self._held = self._sent, len(text), ""
        self._checksum = crc32(text.encode())
        # If only white space at the end differs, which the server has trimmed after it was sent,
        # the editor's text is good enough.
        if self._padded and len(text) < sent:
            return ""
        raise Replacement(text)

    def _take_trimmed(self, text: str) -> str:
        """Return the text to send, and hold back the white space at its end."""
        text = self._held + text
        solid = text.rstrip(_SPACE)
        if len(text) - len(solid) > _MOST_HELD:
            solid, self._padded = text, True
        self._held = text[len(solid) :]
        return self._take(solid)

    def _take(self, text: str) -> str:
        self._sent += len(text)
        self._checksum = crc32(text.encode(), self._checksum)
        return text

    def _paired(self, delta: str) -> str:
        """Join the two halves of a surrogate pair that have arrived in two deltas."""
        delta, self._surrogate = self._surrogate + delta, ""
        if "\ud800" <= delta[-1:] <= "\udbff":
            delta, self._surrogate = delta[:-1], delta[-1]
        return _encodable(delta)


def _encodable(text: str) -> str:
    """Return the text as UTF-8 can encode it: surrogate pairs joined, single halves replaced."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return well_formed(text)
    return text
