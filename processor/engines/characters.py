"""Joins text that a provider has divided inside a character.

A piece may end with half a surrogate pair (an escape such as D83C), or with some bytes of a UTF-8
character, which the decoder has turned into surrogates U+DC80 to U+DCFF. The incomplete character
waits for the next piece. If it stays incomplete it becomes U+FFFD, so the text can always be
encoded.
"""

from __future__ import annotations

import codecs
import re

_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_utf8 = codecs.getincrementaldecoder("utf-8")


class Characters:
    """Text that arrives in pieces.

    Attributes:
        waits: whether an incomplete character waits for the next piece.
    """

    def __init__(self) -> None:
        self.waits = False
        self._half = ""
        self._decoder = _utf8(errors="replace")

    def take(self, piece: str) -> str:
        """Return the complete characters so far."""
        if not self.waits and not _SURROGATE.search(piece):
            return piece
        piece, self._half = self._half + piece, ""
        if "\ud800" <= piece[-1:] <= "\udbff":
            piece, self._half = piece[:-1], piece[-1]
        paired = piece.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        known = _NO_BYTE.sub("\ufffd", paired)
        text = self._decoder.decode(known.encode(errors="surrogateescape"))
        self.waits = bool(self._half or self._decoder.getstate()[0])
        return text

    def flush(self) -> str:
        """Return a mark for an incomplete character that waits, and drop it."""
        half, self._half, self.waits = self._half, "", False
        return self._decoder.decode(b"", final=True) + ("\ufffd" if half else "")
