"""Finds the text that a model wants to replace.

Models often get blanks at the ends of lines and the indentation wrong. So if a text is not in the
file exactly, lines are compared without trailing blanks, and then without indentation. A text must
be found only once, unless all occurrences are to be replaced.
"""

from __future__ import annotations

from collections.abc import Callable

from processor.tools.tool import ToolFailed


def replaced(text: str, old: str, new: str, everywhere: bool) -> str:
    """Return a text in which `new` replaces `old`.

    Raises:
        ToolFailed: `old` is not found, or is found several times without `everywhere`.
    """
    if found := text.count(old):
        if found > 1 and not everywhere:
            raise _several(found)
        return text.replace(old, new)
    for form in (str.rstrip, str.strip):
        if spans := _by_lines(text, old, form):
            if len(spans) > 1 and not everywhere:
                raise _several(len(spans))
            return _with(text, spans, new)
    raise ToolFailed(
        "oldString: is not in the file. It must be the same as in the file, with blanks, "
        "indentation and line ends. Read the file again."
    )


def _several(count: int) -> ToolFailed:
    return ToolFailed(
        f"oldString: is in the file {count} times. Give more lines around it, so that it is there "
        "once, or set replaceAll."
    )


def _by_lines(text: str, old: str, form: Callable[[str], str]) -> list[tuple[int, int]]:
    """Return where the lines of `old` are, with lines compared by `form`; no spans overlap."""
    wanted = [form(line) for line in old.rstrip("\r\n").split("\n")]
    if not any(wanted):
        return []
    lines = text.split("\n")
    forms = [form(line) for line in lines]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    spans, at, first = list[tuple[int, int]](), 0, wanted[0]
    while at <= len(forms) - len(wanted):
        if forms[at] == first and forms[at : at + len(wanted)] == wanted:
            end = starts[at + len(wanted)] - 1
            # `old` may end with its last line, or with the line end after it.
            spans.append((starts[at], min(end + old.endswith("\n"), len(text))))
            at += len(wanted)
        else:
            at += 1
    return spans


def _with(text: str, spans: list[tuple[int, int]], new: str) -> str:
    pieces, last = [], 0
    for start, end in spans:
        pieces += [text[last:start], new]
        last = end
    return "".join([*pieces, text[last:]])
