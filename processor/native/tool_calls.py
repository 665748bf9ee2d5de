"""The tool calls of one turn: each is a part; pending, then running, then completed or failed.

A call of an external agent shows the last `SHOWN_LENGTH` characters of its output while it runs,
as in opencode. Such a snapshot is published by `show`, not by each `append`, so that many small
outputs make one event. `show` also saves the whole output, so that a processor that starts after a
crash can continue the call.

weir's own tools use `snapshot` and `complete`, which accept output of any length: these tools
limit their output themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Struct, field

from bus.agent_lines import OutputLine, ToolLine
from bus.answers import CommandFailed
from bus.events.part import (
    Span,
    ToolCompleted,
    ToolError,
    ToolPart,
    ToolPending,
    ToolRunning,
    ToolState,
)
from processor.clock import not_before, now_ms
from processor.native.growth import Growth
from processor.native.record import Record
from processor.store.open_turns import append_output
from processor.tools.tool import Outcome

SHOWN_LENGTH = 30_000
MOST_OUTPUT = 1024 * 1024
"""The most characters that one call may put out: each reader gets all of them in one event."""
MOST_CALLS = 1000

_encode = msgspec.json.Encoder().encode


class _Call(Struct):
    """A call that has not ended.

    Attributes:
        identity: the ids of the call's part, its message and its session.
        unshown: whether the call has changed since its last event.
    """

    identity: dict[str, Any]
    tool: str
    input: dict[str, Any] = {}
    title: str = ""
    metadata: dict[str, Any] = {}
    start: int = 0  # ms since the Unix epoch; 0: the call does not run yet
    output: list[str] = field(default_factory=list)
    saved: int = 0  # how many items of `output` were submitted to the store
    length: int = 0
    unshown: bool = True


class ToolCalls:
    """Opens, changes and ends the tool calls of a turn; saves and publishes each as a part.

    Args:
        record: saves and publishes the changes of the session.
        identity: makes the ids of a new part.
        growth: counts the memory of the turn.
        before_opening: called before a new call; ends the text part that still grows.
    """

    def __init__(
        self,
        record: Record,
        identity: Callable[[], dict[str, Any]],
        growth: Growth,
        before_opening: Callable[[], None],
    ) -> None:
        self._record = record
        self._identity = identity
        self._growth = growth
        self._before_opening = before_opening
        self._open: dict[str, _Call] = {}
        self._ended: set[str] = set()

    def change(self, line: ToolLine) -> None:
        """Open a new call, or change an open call.

        Args:
            line: the changes; a ``status`` of ``completed`` or ``error`` ends the call.

        Raises:
            CommandFailed: the call has ended; or is new and names no tool, or is one too many.
            ModelError: the answers of all turns together take too much memory.
        """
        self._growth.add(len(_encode((line.input, line.metadata))))
        call = self._open.get(line.call)
        if call is None:
            call = self._opened(line)
        self._append(call, line.call, line.output)
        call.input = call.input if line.input is None else line.input
        call.title = line.title or call.title
        call.metadata = call.metadata if line.metadata is None else line.metadata
        if line.status != "pending":
            call.start = call.start or now_ms()
        call.unshown = True
        if line.status in ("completed", "error"):
            state = _failed(call, line.error or "") if line.status == "error" else _completed(call)
            self._record.part(self._end(line.call, state))

    def knows(self, call: str) -> bool:
        """Return whether the turn has, or had, a call with this id."""
        return call in self._open or call in self._ended

    def snapshot(self, name: str, title: str | None, metadata: dict[str, Any]) -> None:
        """Publish the title and metadata of a running call of weir's own tools.

        If the call has already ended, nothing happens.
        """
        if (call := self._open.get(name)) is not None:
            call.title = title or call.title
            call.metadata = metadata
            call.unshown = False
            self._record.part(self._part(name, _state(call)))

    def complete(self, name: str, outcome: Outcome) -> None:
        """End a call of weir's own tools with its result, unless the call has already ended.

        Raises:
            ModelError: the output does not fit into the memory of all turns.
        """
        if (call := self._open.get(name)) is not None:
            self._growth.add(len(outcome.output))
            span = Span(call.start, not_before(call.start))
            metadata = call.metadata | outcome.metadata
            state = ToolCompleted(call.input, outcome.output, outcome.title, metadata, span)
            state.attachments = outcome.attachments or UNSET
            self._record.part(self._end(name, state))

    def append(self, line: OutputLine) -> None:
        """Append text to the output of an external agent's call; `show` publishes the text.

        Raises:
            CommandFailed: the call is not open, or its output is too long.
            ModelError: the output does not fit into the memory of all turns.
        """
        call = self._open.get(line.call)
        if call is None:
            raise self._not_open(line.call)
        call.start = call.start or now_ms()
        self._append(call, line.call, line.text)

    def check(self, call: str) -> ToolPart:
        """Return the present part of a call that must be open.

        Raises:
            CommandFailed: the call has ended, or was never opened.
        """
        if call not in self._open:
            raise self._not_open(call)
        return self._part(call, _state(self._open[call]))

    def resume(self, part: ToolPart, output: list[str]) -> None:
        """Take over a call that the last processor has saved, whether open or ended.

        `output` are the saved pieces of an open call's output.
        """
        state = part.state
        if not isinstance(state, ToolPending | ToolRunning):
            self._ended.add(part.callID)
            return
        call = _Call(
            {"id": part.id, "sessionID": part.sessionID, "messageID": part.messageID},
            part.tool,
            state.input,
            output=output,
            saved=len(output),
            length=sum(map(len, output)),
            unshown=False,
        )
        if isinstance(state, ToolRunning):
            call.start = state.time.start
            call.title = "" if state.title is UNSET else state.title
            metadata = {} if state.metadata is UNSET else state.metadata
            call.metadata = {key: metadata[key] for key in metadata if key != "output"}
        self._open[part.callID] = call
        self._growth.resume(call.length + len(_encode((call.input, call.metadata))))

    def show(self) -> None:
        """Publish each open call that has changed since its last event, and save its output."""
        for name, call in self._open.items():
            if call.unshown:
                call.unshown = False
                self._record.part(self._part(name, _state(call)))
                self._save_output(call)

    def close(self) -> list[ToolPart]:
        """End all open calls with an error, because their turn ends.

        Return their parts, which the caller must save and publish.
        """
        self.show()
        why = "the turn ended before the tool call did"
        return [self._end(name, _failed(call, why)) for name, call in list(self._open.items())]

    def _save_output(self, call: _Call) -> None:
        fresh = "".join(call.output[call.saved :])
        call.saved = len(call.output)
        if fresh:
            part, at = call.identity["id"], call.length - len(fresh)
            self._record.submit(f"{part} output", append_output, part, at, fresh)

    def _opened(self, line: ToolLine) -> _Call:
        if line.call in self._ended:
            raise self._not_open(line.call)
        if line.tool is None:
            raise CommandFailed("invalid", f"tool: missing; call {line.call!r} is new")
        if len(self._open) + len(self._ended) >= MOST_CALLS:
            raise CommandFailed("invalid", f"call: a turn has at most {MOST_CALLS} tool calls")
        self._before_opening()
        self.show()
        call = self._open[line.call] = _Call(self._identity(), line.tool)
        # Publish the pending state even if this line also ends the call: clients expect each call
        # to begin as pending.
        self._record.part(self._part(line.call, ToolPending(line.input or {}, "")))
        return call

    def _append(self, call: _Call, name: str, text: str) -> None:
        if call.length + len(text) > MOST_OUTPUT:
            raise CommandFailed(
                "invalid",
                f"output: call {name!r} has put out {call.length} characters, and at most "
                f"{MOST_OUTPUT} are allowed; shorten the output",
            )
        if text:
            self._growth.add(len(text))
            call.length += len(text)
            call.output.append(text)
            call.unshown = True

    def _end(self, name: str, state: ToolState) -> ToolPart:
        part = self._part(name, state)
        del self._open[name]
        self._ended.add(name)
        return part

    def _part(self, name: str, state: ToolState) -> ToolPart:
        call = self._open[name]
        return ToolPart(**call.identity, callID=name, tool=call.tool, state=state)

    def _not_open(self, call: str) -> CommandFailed:
        why = "has ended" if call in self._ended else "was never opened"
        return CommandFailed("invalid", f"call: tool call {call!r} {why}")


def _state(call: _Call) -> ToolState:
    if not call.start:
        return ToolPending(call.input, "")
    shown = "".join(call.output)[-SHOWN_LENGTH:]
    metadata = {**call.metadata, "output": shown} if shown else call.metadata
    return ToolRunning(call.input, Span(call.start), call.title or UNSET, metadata or UNSET)


def _completed(call: _Call) -> ToolCompleted:
    span = Span(call.start, not_before(call.start))
    metadata = {**call.metadata, "output": "".join(call.output)[-SHOWN_LENGTH:]}
    return ToolCompleted(call.input, "".join(call.output), call.title or call.tool, metadata, span)


def _failed(call: _Call, why: str) -> ToolError:
    start = call.start or now_ms()
    said = "".join(call.output)
    words = why or said or "the tool failed"
    metadata = {**call.metadata, "output": said[-SHOWN_LENGTH:]} if said else call.metadata
    return ToolError(call.input, words, Span(start, not_before(start)), metadata or UNSET)
