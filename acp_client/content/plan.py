"""Converts opencode's todo list to ACP's plan."""

from __future__ import annotations

from collections.abc import Iterable

from acp_client.protocol.updates import Plan, PlanEntry
from acp_client.protocol.wire import Todo

_STATUSES = {
    "pending": "pending",
    "in_progress": "in_progress",
    "completed": "completed",
    # ACP has no status for a cancelled entry.
    "cancelled": "completed",
}
_PRIORITIES = ("high", "medium", "low")


def plan_of(todos: Iterable[Todo]) -> Plan:
    """Return the plan for a todo list."""
    return Plan(entries=[_entry(todo) for todo in todos])


def _entry(todo: Todo) -> PlanEntry:
    priority = todo.priority if todo.priority in _PRIORITIES else "medium"
    return PlanEntry(todo.content, priority, _STATUSES.get(todo.status, "pending"))
