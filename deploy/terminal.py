"""Replaces control characters in text of others, so that it cannot control the user's terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

_C0, _C1 = range(0x20), range(0x7F, 0xA0)
_DIRECTIONS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Unicode characters that reverse the direction of text, and can make a command look harmless."""
_PICTURES = {code: 0x2400 + code for code in _C0} | {0x7F: 0x2421}
_ESCAPES = {code: f"\\u{code:04x}" for code in (*_C1, *_DIRECTIONS)}
_LINE = _ESCAPES | _PICTURES
_TEXT = {code: shown for code, shown in _LINE.items() if code not in map(ord, "\t\n")}
_JSON = _ESCAPES | {code: f"\\u{code:04x}" for code in _C0 if code != ord("\n")}


def shown(text: str) -> str:
    """Return the text with visible symbols, such as ␛, for control characters.

    Line feeds and tabs are kept.
    """
    return text.replace("\r\n", "\n").translate(_TEXT)


def shown_line(text: str) -> str:
    """Return the text with visible symbols for all control characters, so that it is one line."""
    return text.translate(_LINE)


def shown_json(line: str) -> str:
    """Return JSON with the same value, in which all control characters are escaped."""
    return line.translate(_JSON)


def has_colour(out: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether to use colours: on a terminal, unless `NO_COLOR` or `TERM` disables them."""
    return out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
