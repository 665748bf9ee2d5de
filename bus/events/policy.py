"""How a relay may coalesce an event: each type declares one policy, and this is their table.

Rules:

1. ``APPEND`` — consecutive deltas of one part and field concatenate into one.
2. ``LATEST`` — a whole snapshot of a part. It stands for every delta of that part queued before
   it, and for the *provisional* snapshots before it.
3. ``BARRIER`` — nothing merges across it and nothing before it is superseded by what follows it,
   within its session; without a session, everywhere.
4. ``NEVER`` — passes whole and in order, and stands in nobody's way.

A type that nobody declared is a ``BARRIER``: what it means is unknown, so nothing moves past it.
"""

from __future__ import annotations

import enum


class Policy(enum.Enum):
    """What a relay may do with events of one type."""

    APPEND = "append"
    LATEST = "latest"
    BARRIER = "barrier"
    NEVER = "never"


_DECLARED: dict[str, Policy] = {}


def declare(event_type: str, policy: Policy) -> None:
    """Enter `event_type` (its name on the wire) in the table."""
    _DECLARED[event_type] = policy


def policy_of(event_type: str) -> Policy:
    """Return the declared policy of a type on the wire, ``BARRIER`` for an unknown one."""
    return _DECLARED.get(event_type, Policy.BARRIER)


def declared() -> dict[str, Policy]:
    """Return a copy of the whole table, type on the wire to policy."""
    return dict(_DECLARED)
