"""A tool call of a turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal, Self

from bus import agent_lines as wire
from weir.errors import described

_PIECE = 100_000


class ToolCall(AbstractContextManager["ToolCall"]):
    """A running tool call. A ``with`` block ends it, with the block's error if there is one.

    Attributes:
        name: its id on the wire.
    """

    def __init__(self, name: str, put: Callable[[wire.Line, int], None], turn: str) -> None:
        self.name = name
        self._put = put
        self._turn = turn
        self._ended = False

    def output(self, text: str) -> None:
        """Append to the output of the tool; the output of a call is limited to 1 MiB."""
        for at in range(0, len(text), _PIECE):
            piece = text[at : at + _PIECE]
            self._put(wire.OutputLine(turn=self._turn, call=self.name, text=piece), len(piece))

    def show(self, *, title: str | None = None, **metadata: Any) -> None:
        """Change the title of the call, and the metadata that clients get."""
        self._change("running", title=title, metadata=metadata or None)

    def complete(self, output: str = "", *, title: str | None = None, **metadata: Any) -> None:
        """End the call as a success; `output` is appended to the earlier output."""
        self.output(output)
        self._change("completed", title=title, metadata=metadata or None)

    def fail(self, message: str) -> None:
        """End the call with an error."""
        self._change("error", error=message)

    def __enter__(self) -> Self:
        """Return the call, which is already running."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the call, unless the block has ended it."""
        if self._ended:
            return
        if error is None:
            self.complete()
        elif isinstance(error, Exception):
            self.fail(described(error))

    def _change(self, status: Literal["running", "completed", "error"], **fields: Any) -> None:
        self._put(wire.ToolLine(turn=self._turn, call=self.name, status=status, **fields), 256)
        self._ended = status != "running"
