"""What one check has found."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from deploy.terminal import shown_line

Level = Literal["ok", "warn", "fail"]


class Finding(Struct, frozen=True, omit_defaults=True):
    """The outcome of a check.

    Attributes:
        what: the check, in one word.
        words: what was found.
        remedy: what to do about it; empty where nothing is to be done.
    """

    level: Level
    what: str
    words: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f" -> {self.remedy}" if self.remedy else ""
        return shown_line(f"{self.level:<4}  {self.what:<10}  {self.words}{remedy}")


def ok(what: str, words: str) -> Finding:
    """Return that all is well."""
    return Finding("ok", what, words)


def warn(what: str, words: str, remedy: str = "") -> Finding:
    """Return that something is odd, and clients can live with it."""
    return Finding("warn", what, words, remedy)


def fail(what: str, words: str, remedy: str = "") -> Finding:
    """Return that something is wrong."""
    return Finding("fail", what, words, remedy)


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
