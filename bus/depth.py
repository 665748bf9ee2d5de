"""One bound on how deep JSON may nest, for all JSON that comes in from outside.

A decoder or encoder of JSON uses the C stack for each level, and Python ends it with a
`RecursionError` at a depth that depends on its version and on the caller. The bound is far below
that, so whatever has passed it can be decoded and encoded anywhere later.

The check costs next to nothing where JSON is small or has few brackets, as nearly all has.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from itertools import accumulate, compress

from msgspec import Struct

MOST_LEVELS = 256
"""Of the body of a request, and of a line of stdio."""
EVENT_LEVELS = MOST_LEVELS + 16
"""Of an event, and of an answer of REST: these wrap what came in a body."""
MOST_BRACKETS = 4_000_000
"""JSON with more of these counts as too deep, unless they are as flat as in any usual list."""

_FOLDED_BRACKETS = 1_000_000
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_OTHERS_BUT_QUOTES = bytes(set(_OTHERS) - set(b'"'))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_STEPS = [(byte == ord("[")) - (byte == ord("]")) for byte in range(256)]
_IS_BRACKET = bytes(byte in b"[]{}" for byte in range(256))
# What has no brackets in strings, then a string that has. Possessive, so that no input makes it
# go back; and whatever follows matches, so that it never begins inside of a string.
_WITH_BRACKETS = re.compile(
    rb'((?:[^"]++|"(?:[^"\\\[\]{}]++|\\[^\[\]{}])*+")*+)("(?:[^"\\]++|\\.)*+(?:"|\\?\Z))?',
    re.DOTALL,
)
# Nobody can know it, so nobody can write it into an event.
_MARK = f"nested too deep {secrets.token_hex(8)}"
_PLACEHOLDER = re.compile(b'"%b ([0-9]+)"' % _MARK.encode())


class TooDeep(ValueError):
    """JSON is nested deeper than its bound."""

    def __init__(self, most: int) -> None:
        super().__init__(f"nested deeper than {most} levels")


class Folded(Struct, frozen=True):
    """JSON in which a placeholder, a string, stands for each value that is nested too deep.

    Attributes:
        json: what can be decoded.
        values: what the placeholders stand for, in order.
    """

    json: bytes
    values: list[bytes]

    def unfold(self, data: bytes) -> bytes:
        """Return a piece of `json` as it was, byte for byte."""
        return _PLACEHOLDER.sub(lambda found: self.values[int(found[1])], data)


def check(data: bytes, most: int = MOST_LEVELS) -> None:
    """Check that `data` keeps the bound.

    Raises:
        TooDeep: it does not.
    """
    if too_deep(data, most):
        raise TooDeep(most)


def too_deep(data: bytes, most: int = MOST_LEVELS) -> bool:
    """Tell whether `data` is nested deeper than `most` levels; if so, it need not be JSON."""
    if len(data) <= 2 * most or _few_brackets(data, most):
        return False
    brackets = _brackets(data)
    counted = 0
    # A round takes away the innermost level, which is most of the brackets of a large list.
    while brackets and len(outer := brackets.replace(b"[]", b"")) <= len(brackets) * 3 // 4:
        brackets, counted = outer, counted + 1
    if len(brackets) > MOST_BRACKETS:
        return True
    return counted + max(_levels(brackets), default=0) > most


def fold(data: bytes, most: int = EVENT_LEVELS) -> Folded:
    """Put placeholders in the place of all that is nested deeper than `most` levels.

    Raises:
        TooDeep: there are too many brackets to go through.
    """
    if sum(map(data.count, (b"[", b"]", b"{", b"}"))) > _FOLDED_BRACKETS:
        raise TooDeep(most)
    kept: list[bytes] = []
    values: list[bytes] = []
    end = 0
    for start, stop in _deep_values(data, most):
        kept += data[end:start], b'"%b %d"' % (_MARK.encode(), len(values))
        values.append(data[start:stop])
        end = stop
    kept.append(data[end:])
    return Folded(b"".join(kept), values)


def is_folded(data: bytes) -> bool:
    """Tell whether there is a placeholder in `data`."""
    return _MARK.encode() in data


def _few_brackets(data: bytes, most: int) -> bool:
    """Tell whether there are too few opening brackets, wherever they are, for so many levels."""
    # Unlike `bytes.count`, this skips what lies between two of them without looking at each byte.
    left = len(data.replace(b"{", b"", most + 1)) + len(data.replace(b"[", b"", most + 1))
    return 2 * len(data) - left <= most


def _brackets(data: bytes) -> bytes:
    """Return the brackets outside of strings, as if all were square."""
    unescaped = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Without strings that hold no bracket; a pair that closes one and opens the next goes as well.
    left = unescaped.translate(_ONE_KIND, _OTHERS_BUT_QUOTES).replace(b'""', b"")
    return b"".join(left.split(b'"')[::2])


def _deep_values(data: bytes, most: int) -> Iterator[tuple[int, int]]:
    """Yield where each value starts that is one level too deep, and where it stops."""
    bare = _WITH_BRACKETS.sub(_blanked, data)
    places = list(compress(range(len(bare)), bare.translate(_IS_BRACKET)))
    # The level after each bracket; a sentinel ends the search for the next of a level.
    levels = list(_levels(bare.translate(_ONE_KIND, _OTHERS)))
    levels += most, most + 1
    places.append(len(data) - 1)
    opening = levels.index(most + 1)
    while opening < len(levels) - 1:
        closing = levels.index(most, opening)
        yield places[opening], places[closing] + 1
        opening = levels.index(most + 1, closing)


def _levels(brackets: bytes) -> Iterator[int]:
    return accumulate(map(_STEPS.__getitem__, brackets))


def _blanked(found: re.Match[bytes]) -> bytes:
    return found[1] + b" " * len(found[2] or b"")
