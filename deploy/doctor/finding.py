"""The result of one check."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from deploy.terminal import shown_line

Level = Literal["ok", "warn", "fail"]


class Finding(Struct, frozen=True, omit_defaults=True):
    """The result of a check.

    Attributes:
        what: the check, in one word.
        words: the result in words.
        remedy: what to do about it; empty if there is nothing to do.
    """

    level: Level
    what: str
    words: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f" -> {self.remedy}" if self.remedy else ""
        return shown_line(f"{self.level:<4}  {self.what:<10}  {self.words}{remedy}")


def ok(what: str, words: str) -> Finding:
    return Finding("ok", what, words)


def warn(what: str, words: str, remedy: str = "") -> Finding:
    """Return a finding that is unusual, but that clients can cope with."""
    return Finding("warn", what, words, remedy)


def fail(what: str, words: str, remedy: str = "") -> Finding:
    """Return a finding that must be fixed."""
    return Finding("fail", what, words, remedy)


def duration(seconds: float) -> str:
    """Return a duration in words."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
