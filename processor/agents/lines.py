"""The effect of each kind of line on its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bus.agent_lines import (
    DeadlineLine,
    EndLine,
    FailLine,
    Line,
    OutputLine,
    PermissionLine,
    QuestionsLine,
    ReasoningLine,
    RetryLine,
    TextLine,
    TodosLine,
    ToolLine,
    UsageLine,
)
from bus.events.message import Failure
from bus.events.part import CacheTokens, TokenCounts
from bus.events.session import Todo
from processor.agents.served import Served
from processor.clock import now_ms

DELTAS_AT_ONCE = 64
"""Other greenlets run after this many deltas, as after one batch of an engine."""


def carry_out(line: Line, served: Served) -> Iterator[None]:
    """Apply a line; other greenlets may run between two steps.

    Raises:
        CommandFailed: the line is not possible now; the message gives the reason.
        ModelError: the answer does not fit into the memory of all turns.
    """
    if isinstance(line, TextLine | ReasoningLine):
        append = served.turn.text if isinstance(line, TextLine) else served.turn.reasoning
        deltas = [line.text] if isinstance(line.text, str) else line.text
        for at in range(0, len(deltas), DELTAS_AT_ONCE):
            yield
            if served.why_ended is None and (some := [*filter(None, _lot(deltas, at))]):
                append(*some)
    else:
        yield
        if served.why_ended is None:
            _ACTIONS[type(line)](line, served)


def _lot(deltas: list[str], at: int) -> list[str]:
    return deltas[at : at + DELTAS_AT_ONCE]


def _todos(line: TodosLine, served: Served) -> None:
    served.record.todos([Todo(one.content, one.status, one.priority) for one in line.todos])


def _usage(line: UsageLine, served: Served) -> None:
    cache = CacheTokens(line.cache_read, line.cache_write)
    tokens = TokenCounts(line.input, line.output, line.reasoning, cache)
    tokens.total = line.input + line.output + line.reasoning + cache.read + cache.write
    served.count(tokens, line.cost or 0)


def _retry(line: RetryLine, served: Served) -> None:
    served.turn.retry(line.attempt, line.message, now_ms() + int(line.seconds * 1000))


_ACTIONS: dict[type, Callable[[Any, Served], None]] = {
    ToolLine: lambda line, served: served.turn.calls.change(line),
    OutputLine: lambda line, served: served.turn.calls.append(line),
    TodosLine: _todos,
    PermissionLine: lambda line, served: served.ask(line),
    QuestionsLine: lambda line, served: served.ask(line),
    UsageLine: _usage,
    RetryLine: _retry,
    DeadlineLine: lambda line, served: served.expire_in(line.seconds),
    EndLine: lambda line, served: served.finish(line.reason),
    FailLine: lambda line, served: served.give_up(Failure(line.name, {"message": line.message})),
}
