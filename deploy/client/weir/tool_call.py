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
    """A call that runs. In a ``with`` block it ends with the block, as an error if that raises.

    Attributes:
        name: of the call on the wire.
    """

    def __init__(self, name: str, put: Callable[[wire.Line, int], None], turn: str) -> None:
        self.name = name
        self._put = put
        self._turn = turn
        self._ended = False

    def output(self, text: str) -> None:
        """Append to what the tool has put out; a call has at most 1 MiB of it."""
        for at in range(0, len(text), _PIECE):
            piece = text[at : at + _PIECE]
            self._put(wire.Output(turn=self._turn, call=self.name, text=piece), len(piece))

    def show(self, *, title: str | None = None, **metadata: Any) -> None:
        """Change the title of the call, and what clients get to know besides."""
        self._change("running", title=title, metadata=metadata or None)

    def complete(self, output: str = "", *, title: str | None = None, **metadata: Any) -> None:
        """End the call well; `output` comes behind what was put out before."""
        self.output(output)
        self._change("completed", title=title, metadata=metadata or None)

    def fail(self, message: str) -> None:
        """End the call as an error."""
        self._change("error", error=message)

    def __enter__(self) -> Self:
        """Return the call, which runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the call, unless the block has done so."""
        if self._ended:
            return
        if error is None:
            self.complete()
        elif isinstance(error, Exception):
            self.fail(described(error))

    def _change(self, status: Literal["running", "completed", "error"], **fields: Any) -> None:
        self._put(wire.Tool(turn=self._turn, call=self.name, status=status, **fields), 256)
        self._ended = status != "running"
