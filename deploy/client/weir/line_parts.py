"""The parts of a turn's lines: texts that fit into one line each, and todos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bus import agent_lines as wire

PIECE_CHARACTERS = 100_000
"""A longer text is sent as several deltas of this size: weir refuses lines over 1 MiB."""
Todo = tuple[str, str] | Mapping[str, str]
_FIELDS = ("content", "status")
_STATUSES = {"done": "completed", "doing": "in_progress", "todo": "pending"}


def line_texts(deltas: Sequence[str]) -> Iterable[tuple[list[str], int]]:
    """Divide deltas into lists that fit into one line each; yield them with their characters."""
    if (size := sum(map(len, deltas))) <= PIECE_CHARACTERS:
        if size:
            yield list(deltas), size
        return
    for delta in deltas:
        for at in range(0, len(delta), PIECE_CHARACTERS):
            piece = delta[at : at + PIECE_CHARACTERS]
            yield [piece], len(piece)


def todo_input(given: Todo) -> wire.TodoInput:
    """Return a todo as a line has it; `given` is ``(content, status)``, or the fields by name."""
    fields = dict(given) if isinstance(given, Mapping) else dict(zip(_FIELDS, given, strict=True))
    fields["status"] = _STATUSES.get(fields.get("status", ""), fields.get("status", "pending"))
    return wire.TodoInput(**fields)  # type: ignore[arg-type]
