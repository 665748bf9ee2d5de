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
from itertools import compress

from msgspec import Struct

MOST_LEVELS = 256
"""Of the body of a request, and of a line of stdio."""
EVENT_LEVELS = MOST_LEVELS + 16
"""Of an event, and of an answer of REST: these wrap what came in a body."""
_FOLDED_BRACKETS = 1_000_000
_BLOCK_BYTES = 256
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_OTHERS_BUT_QUOTES = bytes(set(_OTHERS) - set(b'"'))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_IS_BRACKET = bytes(byte in b"[]{}" for byte in range(256))
# What has no brackets in strings, then a string that has. Possessive, so that no input makes it
# go back; and whatever follows matches, so that it never begins inside of a string.
_WITH_BRACKETS = re.compile(
    rb'((?:[^"]++|"(?:[^"\\\[\]{}]++|\\[^\[\]{}])*+")*+)("(?:[^"\\]++|\\.)*+(?:"|\\?\Z))?',
    re.DOTALL,
)
# No sender can know this name, so no sender can write it into an event.
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
    return any(_deep_values(_brackets(data), most))


def balanced(data: bytes) -> bool:
    """Tell whether as many brackets open as close; bytes in which they do not are no JSON."""
    brackets = _brackets(data)
    return 2 * brackets.count(b"[") == len(brackets)


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
    bare = _WITH_BRACKETS.sub(_blanked, data) if _in_strings(data) else data
    for start, stop in _deep_values(bare, most):
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
    return b"".join(_brackets_and_strings(data).split(b'"')[::2])


def _in_strings(data: bytes) -> bool:
    """Tell whether there are brackets in strings."""
    return b'"' in _brackets_and_strings(data)


def _brackets_and_strings(data: bytes) -> bytes:
    """Return all brackets, as if all were square, and the quotes of strings that hold some."""
    unescaped = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # A pair of quotes that closes one string and opens the next goes as well.
    return unescaped.translate(_ONE_KIND, _OTHERS_BUT_QUOTES).replace(b'""', b"")


def _deep_values(bare: bytes, most: int) -> Iterator[tuple[int, int]]:
    """Yield where each value starts that is one level too deep, and where it stops.

    Nearly all of JSON lies far from the bound, above or below. There a block is not looked into.

    Args:
        bare: JSON with no bracket in a string.
        most: levels that are not too deep.
    """
    level, start = 0, -1
    for at in range(0, len(bare), _BLOCK_BYTES):
        block = bare[at : at + _BLOCK_BYTES]
        brackets = block.translate(_ONE_KIND, _OTHERS)
        opened = brackets.count(b"[")
        closed = len(brackets) - opened
        if level + opened <= most or level - closed > most:
            level += opened - closed
            continue
        for place in compress(range(at, at + len(block)), block.translate(_IS_BRACKET)):
            if bare[place] in b"[{":
                level += 1
                if level == most + 1:
                    start = place
            else:
                if level == most + 1:
                    yield start, place + 1
                    start = -1
                level -= 1
    if start >= 0:
        yield start, len(bare)


def _blanked(found: re.Match[bytes]) -> bytes:
    return found[1] + b" " * len(found[2] or b"")
