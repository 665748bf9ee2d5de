"""The bound on how deep JSON may nest, for all JSON that comes from outside.

A JSON decoder or encoder uses the C stack for each level. At a depth that depends on Python's
version and on the caller, Python raises `RecursionError`. The bound is far below this depth, so
JSON that has passed the check can be decoded and encoded anywhere later.

The check costs next to nothing for JSON that is small or has few brackets, as almost all JSON is.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from itertools import compress

from msgspec import Struct

MOST_LEVELS = 256
"""How deep JSON may nest in the body of a request, and in a line on stdio."""
EVENT_LEVELS = MOST_LEVELS + 16
"""How deep JSON may nest in an event, and in a REST answer: both wrap JSON from a body."""
_FOLDED_BRACKETS = 1_000_000
_BLOCK_BYTES = 256
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_OTHERS_BUT_QUOTES = bytes(set(_OTHERS) - set(b'"'))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_IS_BRACKET = bytes(byte in b"[]{}" for byte in range(256))
# Matches text without brackets in strings, then a string that contains a bracket. The quantifiers
# are possessive, so no input makes the match go back. All text before such a string is matched, so
# that a match never begins inside a string.
_WITH_BRACKETS = re.compile(
    rb'((?:[^"]++|"(?:[^"\\\[\]{}]++|\\[^\[\]{}])*+")*+)("(?:[^"\\]++|\\.)*+(?:"|\\?\Z))?',
    re.DOTALL,
)
# The mark is random, so no sender can write a placeholder into an event.
_MARK = f"nested too deep {secrets.token_hex(8)}"
_PLACEHOLDER = re.compile(b'"%b ([0-9]+)"' % _MARK.encode())


class TooDeep(ValueError):
    """JSON is nested deeper than its bound."""

    def __init__(self, most: int) -> None:
        super().__init__(f"nested deeper than {most} levels")


class Folded(Struct, frozen=True):
    """JSON in which each value that is nested too deep is replaced by a placeholder string.

    Attributes:
        json: JSON that can be decoded.
        values: the values that were replaced, in the order of their placeholders.
    """

    json: bytes
    values: list[bytes]

    def unfold(self, data: bytes) -> bytes:
        """Return a piece of `json` with its placeholders replaced by the original bytes."""
        return _PLACEHOLDER.sub(lambda found: self.values[int(found[1])], data)


def check(data: bytes, most: int = MOST_LEVELS) -> None:
    """Check that `data` keeps the bound.

    Raises:
        TooDeep: `data` is nested deeper than `most` levels.
    """
    if too_deep(data, most):
        raise TooDeep(most)


def too_deep(data: bytes, most: int = MOST_LEVELS) -> bool:
    """Return whether `data` is nested deeper than `most` levels; `data` need not be valid JSON."""
    if len(data) <= 2 * most or _few_brackets(data, most):
        return False
    return any(_deep_values(_brackets(data), most))


def balanced(data: bytes) -> bool:
    """Return whether `data` has as many closing as opening brackets; valid JSON has."""
    brackets = _brackets(data)
    return 2 * brackets.count(b"[") == len(brackets)


def fold(data: bytes, most: int = EVENT_LEVELS) -> Folded:
    """Replace every value that is nested deeper than `most` levels by a placeholder.

    Raises:
        TooDeep: `data` has too many brackets to scan.
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
    """Return whether `data` contains a placeholder."""
    return _MARK.encode() in data


def _few_brackets(data: bytes, most: int) -> bool:
    """Return whether `data` has too few opening brackets, even with those in strings."""
    # `bytes.replace` stops after so many matches, and jumps from bracket to bracket; `bytes.count`
    # would look at each byte.
    left = len(data.replace(b"{", b"", most + 1)) + len(data.replace(b"[", b"", most + 1))
    return 2 * len(data) - left <= most


def _brackets(data: bytes) -> bytes:
    """Return the brackets outside of strings, with curly ones turned into square ones."""
    return b"".join(_brackets_and_strings(data).split(b'"')[::2])


def _in_strings(data: bytes) -> bool:
    """Return whether a string contains a bracket."""
    return b'"' in _brackets_and_strings(data)


def _brackets_and_strings(data: bytes) -> bytes:
    """Return all brackets, as square ones, and the quotes of the strings that contain brackets."""
    unescaped = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # This also removes a quote that closes one string together with the quote that opens the next.
    return unescaped.translate(_ONE_KIND, _OTHERS_BUT_QUOTES).replace(b'""', b"")


def _deep_values(bare: bytes, most: int) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each value that is one level too deep.

    Nearly all blocks of JSON are far above or far below the bound. Such a block is skipped as a
    whole.

    Args:
        bare: JSON without brackets in strings.
        most: how many levels are allowed.
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
