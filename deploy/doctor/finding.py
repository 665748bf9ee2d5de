"""The result of one check."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from deploy.terminal import shown_line

Level = Literal["ok", "warn", "fail"]


class Finding(Struct, frozen=True, omit_defaults=True):
    """The result of a check, which `weir doctor` prints as one line.

    Attributes:
        level: how serious the result is; any ``fail`` makes the exit status 1.
        what: the name of the check, in one word.
        words: the result, as a sentence.
        remedy: what the user can do to repair it; empty if there is nothing to repair.
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
    """Return the finding of a problem with which clients still work."""
    return Finding("warn", what, words, remedy)


def fail(what: str, words: str, remedy: str = "") -> Finding:
    """Return the finding of a problem with which clients do not work."""
    return Finding("fail", what, words, remedy)


def duration(seconds: float) -> str:
    """Return a duration as text, for example ``12 ms`` or ``1.5 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
