"""Puts together text that a provider has cut inside a character.

A piece may end in half a surrogate pair (an escape such as D83C), or in some bytes of a UTF-8
character, which a lenient decoder leaves as the surrogates U+DC80 to U+DCFF. Both halves wait for
the next piece. A half that stays alone becomes U+FFFD, so the text can always be encoded.
"""

from __future__ import annotations

import codecs
import re

_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_utf8 = codecs.getincrementaldecoder("utf-8")


class Characters:
    """The text of one kind, piece by piece.

    Attributes:
        waits: whether half a character waits for the next piece.
    """

    def __init__(self) -> None:
        self.waits = False
        self._half = ""
        self._decoder = _utf8(errors="replace")

    def take(self, piece: str) -> str:
        """Return the characters that a piece completes."""
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
        """Return a mark for the half that waits, and let nothing wait."""
        half, self._half, self.waits = self._half, "", False
        return self._decoder.decode(b"", final=True) + ("\ufffd" if half else "")
