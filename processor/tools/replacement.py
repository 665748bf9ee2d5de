"""Finds and replaces the text that a model wants to replace in a file.

Models often get trailing blanks and the indentation wrong. So if the file does not contain a text
exactly, lines are compared without trailing blanks, and then without indentation. The file must
contain the text only once, unless all occurrences are to be replaced.
"""

from __future__ import annotations

from collections.abc import Callable

from processor.tools.tool import ToolFailed


def replaced(text: str, old: str, new: str, everywhere: bool) -> str:
    """Return `text` with `new` in place of `old`; with `everywhere`, in place of each `old`.

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
    """Return start and end of each place in `text` where the lines of `old` are.

    Lines are equal if `form` returns the same for both. The spans do not overlap.
    """
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
            # Include the line end after the last line only if `old` ends with a line end.
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
