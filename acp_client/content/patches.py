"""Parses patches into the old and the new text of each changed file.

There are two formats: unified diffs, as opencode's edit tools report them, and the format of its
``apply_patch`` tool (``*** Begin Patch``). Both contain hunks instead of whole files. So the old
and the new text consist only of the changed lines and the unchanged lines around them.
"""

from __future__ import annotations

import re

from msgspec import Struct

_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@")
_FILE = re.compile(r"\*\*\* (Add|Update|Delete) File: (.+)")
_MOVE = "*** Move to: "
_END = "*** End"


class Change(Struct):
    """The change of one file.

    Attributes:
        path: the path in the patch, which may be relative.
        before: the old text of the hunks; None if the file is new.
        after: the new text of the hunks.
    """

    path: str
    before: str | None
    after: str


class _Sides:
    """The old and the new lines of the hunks of one file."""

    def __init__(self) -> None:
        self.before: list[str] = []
        self.after: list[str] = []

    def add(self, line: str) -> None:
        mark, text = line[:1], line[1:]
        if mark != "+":
            self.before.append(text)
        if mark != "-":
            self.after.append(text)


def unified(diff: str) -> tuple[str, str]:
    """Return the old and the new text of a unified diff of one file."""
    sides = _Sides()
    in_hunk = False
    for line in diff.split("\n"):
        if _HUNK.match(line):
            in_hunk = True
        elif line.startswith(("diff --git", "Index: ", "=====")):
            in_hunk = False
        elif in_hunk and line[:1] in ("+", "-", " "):
            sides.add(line)
    return _joined(sides.before), _joined(sides.after)


def envelope(patch: str) -> list[Change]:
    """Return the changes of a patch in the format of the ``apply_patch`` tool."""
    changes: list[Change] = []
    sides, kind, path = _Sides(), "", ""
    for line in patch.split("\n"):
        begin = _FILE.match(line)
        if begin or line.startswith(_END):
            _close(changes, sides, kind, path)
            sides = _Sides()
            kind, path = (begin[1], begin[2].strip()) if begin else ("", "")
        elif line.startswith(_MOVE):
            path = line.removeprefix(_MOVE).strip()
        elif kind and line[:1] in ("+", "-", " "):
            sides.add(line)
    _close(changes, sides, kind, path)
    return changes


def _close(changes: list[Change], sides: _Sides, kind: str, path: str) -> None:
    if kind:
        before = None if kind == "Add" else _joined(sides.before)
        changes.append(Change(path, before, _joined(sides.after)))


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
