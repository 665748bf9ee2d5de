"""Formats tool calls as text: a title, then the output, the changes of files, or the error."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from acp_client.content.diffs import diffs_of
from acp_client.content.tools import title_of
from acp_client.protocol.updates import Diff
from acp_client.protocol.wire import Part, ToolState
from deploy.transcript.bounded_dict import BoundedDict
from deploy.transcript.page import DIM, GREEN, PLAIN, RED, TranscriptPage

_SAID_ELSEWHERE = frozenset({"question", "todowrite", "todoread"})
"""The results of these tools have events of their own, so their calls are not printed. For earlier
messages there are no such events, so there the calls are printed."""
_LONGEST_LINE = 500
_MOST_COMPARED = 4000
_AROUND = 2
Line = tuple[str, str]


class ToolCallLines:
    """Formats tool calls.

    Args:
        page: formats the entries.
        most_lines: how many lines of an output or a diff are shown; 0: all lines.
    """

    def __init__(self, page: TranscriptPage, most_lines: int) -> None:
        self._page = page
        self._most_lines = most_lines
        self._written: BoundedDict[str, str] = BoundedDict()

    def update(self, session: str, part: Part) -> Iterator[str]:
        """Yield the text for what has changed in a tool call since the last update."""
        state = part.state or ToolState()
        if state.status == "pending" or self._written.get(part.id) in (state.status, "over"):
            return
        if self._page.is_live and part.tool in _SAID_ELSEWHERE and state.status != "error":
            return
        over = state.status in ("completed", "error")
        self._written[part.id] = "over" if over else state.status
        title = title_of(part)
        said = f"* {part.tool}" + (f" {title}" if title != part.tool else "")
        if not self._page.continues(part.id):
            colour = RED if state.status == "error" else GREEN
            yield from self._page.entry(session, said, colour, key=part.id)
        if over:
            yield from self._page.under(self._outcome(part, state))

    def _outcome(self, part: Part, state: ToolState) -> Iterator[Line]:
        if state.status == "error":
            yield from ((f"! {line}", RED) for line in _lines(state.error or "it has failed"))
            return
        changes = diffs_of(part.tool, state, "/")
        for change in changes:
            yield from self._folded(_compared(change))
        if not changes:
            output = [(f"| {line}", PLAIN) for line in _lines(state.output)]
            yield from self._folded(output or [("(no output)", DIM)])
            exited = state.noted("exit")
            if exited:
                yield f"! exit {exited}", RED

    def _folded(self, lines: list[Line]) -> Iterator[Line]:
        most = self._most_lines
        if most and len(lines) > most:
            head, tail = (most + 1) // 2, most // 2
            between = (f"… {len(lines) - most} more lines …", DIM)
            lines = [*lines[:head], between, *(lines[-tail:] if tail else [])]
        for text, colour in lines:
            cut = len(text) > _LONGEST_LINE
            yield (text[:_LONGEST_LINE] + "…" if cut else text), colour


def _lines(output: object) -> list[str]:
    text = output if isinstance(output, str) else "" if output is None else str(output)
    return text.replace("\r\n", "\n").rstrip("\n").split("\n") if text else []


def _compared(change: Diff) -> list[Line]:
    """Return the diff of a change: removed and added lines, with some lines around them."""
    before, after = _lines(change.oldText), _lines(change.newText)
    if len(before) + len(after) > _MOST_COMPARED:
        return [(f"~ {change.path}: {len(before)} lines become {len(after)}", DIM)]
    lines = list(difflib.unified_diff(before, after, n=_AROUND, lineterm=""))[2:]
    colours = {"+": GREEN, "-": RED, "@": DIM}
    return [(line, colours.get(line[:1], PLAIN)) for line in lines]
