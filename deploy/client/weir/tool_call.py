"""A tool call that an agent makes in a turn, and that clients see."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal, Self

from bus import agent_lines as wire
from weir.errors import described
from weir.line_parts import PIECE_CHARACTERS


class ToolCall(AbstractContextManager["ToolCall"]):
    """A running tool call, as clients see it. The agent itself runs the tool.

    At the end of a ``with`` block, the call ends too: as a success, or with the exception that
    the block raised.

    Attributes:
        name: the id of the call in the lines that are sent to weir.
    """

    def __init__(self, name: str, put: Callable[[wire.Line, int], None], turn: str) -> None:
        self.name = name
        self._put = put
        self._turn = turn
        self._ended = False

    def output(self, text: str) -> None:
        """Append `text` to the tool's output; the output of one call is at most 1 MiB."""
        for at in range(0, len(text), PIECE_CHARACTERS):
            piece = text[at : at + PIECE_CHARACTERS]
            self._put(wire.OutputLine(turn=self._turn, call=self.name, text=piece), len(piece))

    def show(self, *, title: str | None = None, **metadata: Any) -> None:
        """Change the title and the metadata that clients see, while the call runs."""
        self._change("running", title=title, metadata=metadata or None)

    def complete(self, output: str = "", *, title: str | None = None, **metadata: Any) -> None:
        """End the call as a success; `output` is appended to the earlier output."""
        self.output(output)
        self._change("completed", title=title, metadata=metadata or None)

    def fail(self, message: str) -> None:
        """End the call with the error `message`; clients see the output so far and the error."""
        self._change("error", error=message)

    def __enter__(self) -> Self:
        """Return the call; it runs since `Turn.tool` was called."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the call, if `complete` or `fail` was not called in the block."""
        if self._ended:
            return
        if error is None:
            self.complete()
        elif isinstance(error, Exception):
            self.fail(described(error))

    def _change(self, status: Literal["running", "completed", "error"], **fields: Any) -> None:
        self._put(wire.ToolLine(turn=self._turn, call=self.name, status=status, **fields), 256)
        self._ended = status != "running"
