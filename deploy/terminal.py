"""Makes foreign text safe for a terminal: control characters are shown and have no effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

_C0, _C1 = range(0x20), range(0x7F, 0xA0)
_DIRECTIONS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Characters that change the direction of text, so that a text looks like another."""
_PICTURES = {code: 0x2400 + code for code in _C0} | {0x7F: 0x2421}
_ESCAPES = {code: f"\\u{code:04x}" for code in (*_C1, *_DIRECTIONS)}
_LINE = _ESCAPES | _PICTURES
_TEXT = {code: shown for code, shown in _LINE.items() if code not in map(ord, "\t\n")}
_JSON = _ESCAPES | {code: f"\\u{code:04x}" for code in _C0 if code != ord("\n")}


def shown(text: str) -> str:
    """Return text with pictures in place of control characters, except line feeds and tabs."""
    return text.replace("\r\n", "\n").translate(_TEXT)


def shown_line(text: str) -> str:
    """Return text with pictures in place of all control characters: it stays one line."""
    return text.translate(_LINE)


def shown_json(line: str) -> str:
    """Return JSON of the same value in which all control characters are escaped."""
    return line.translate(_JSON)


def has_colour(out: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether to use colours: on a terminal, unless the user has disabled them."""
    return out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
