"""Makes unified diffs in the form that opencode's clients display.

A full comparison of long texts would take too long. So in long texts, everything between the first
and the last difference counts as replaced.
"""

from __future__ import annotations

import itertools
from difflib import SequenceMatcher

from msgspec import Struct

MOST_BYTES = 200 * 1024
"""The most bytes of a diff. Whole hunks are left out above it, so the rest is still a diff."""
_CONTEXT = 4
_MOST_COMPARED = 1_000_000
_LINE = "=" * 67
_NO_END = "\n\\ No newline at end of file\n"

_Opcode = tuple[str, int, int, int, int]


class Patch(Struct, frozen=True):
    """The change of a file.

    Attributes:
        text: the unified diff; empty if nothing changed.
        additions: how many lines were added.
        deletions: how many lines were removed.
        whole: the unified diff with all hunks, if `text` lacks some; else empty.
    """

    text: str
    additions: int
    deletions: int
    whole: str = ""


def patch(path: str, before: str, after: str) -> Patch:
    """Return the difference between two texts of the file `path`."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    first = _common(zip(old, new, strict=False))
    most = min(len(old), len(new)) - first
    last = _common(itertools.islice(zip(reversed(old), reversed(new), strict=False), most))
    start = max(0, first - _CONTEXT)
    old_part = old[start : len(old) - max(0, last - _CONTEXT)]
    new_part = new[start : len(new) - max(0, last - _CONTEXT)]
    if old_part == new_part:
        return Patch("", 0, 0)
    codes = _opcodes(old_part, new_part, first - start, min(last, _CONTEXT))
    added = sum(j2 - j1 for kind, _, _, j1, j2 in codes if kind != "equal")
    removed = sum(i2 - i1 for kind, i1, i2, _, _ in codes if kind != "equal")
    head = f"Index: {path}\n{_LINE}\n--- {path}\n+++ {path}\n"
    hunks, size, fitting = [head], len(head.encode(errors="replace")), 1
    for group in _grouped(codes):
        hunk = _hunk(group, old_part, new_part, start)
        hunks.append(hunk)
        size += len(hunk.encode(errors="replace"))
        fitting += size <= MOST_BYTES
    text = "".join(hunks[:fitting])
    return Patch(text, added, removed, "" if fitting == len(hunks) else "".join(hunks))


def _common(pairs: object) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))  # type: ignore


def _opcodes(old: list[str], new: list[str], first: int, last: int) -> list[_Opcode]:
    if len(old) * len(new) <= _MOST_COMPARED:
        return list[_Opcode](SequenceMatcher(None, old, new).get_opcodes())
    return [
        ("equal", 0, first, 0, first),
        ("replace", first, len(old) - last, first, len(new) - last),
        ("equal", len(old) - last, len(old), len(new) - last, len(new)),
    ]


def _grouped(codes: list[_Opcode]) -> list[list[_Opcode]]:
    matcher = SequenceMatcher(None, "", "")
    matcher.opcodes = codes  # type: ignore[attr-defined]
    return list(matcher.get_grouped_opcodes(_CONTEXT))


def _hunk(group: list[_Opcode], old: list[str], new: list[str], start: int) -> str:
    """Return the text of one hunk.

    `old` and `new` are parts of the file; `start` equal lines come before both parts.
    """
    (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
    lines = []
    for kind, a, b, c, d in group:
        if kind == "equal":
            lines += [f" {line}" for line in old[a:b]]
            continue
        lines += [f"-{line}" for line in old[a:b]]
        lines += [f"+{line}" for line in new[c:d]]
    head = f"@@ -{_range(i1, i2, start)} +{_range(j1, j2, start)} @@\n"
    return head + "".join(line if line.endswith("\n") else line + _NO_END for line in lines)


def _range(first: int, end: int, start: int) -> str:
    count = end - first
    return f"{start + first + (count > 0)},{count}"
