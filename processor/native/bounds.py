"""The limits of a processor: on memory, disk, running turns, and how long tools may take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from bus.process.flags import Flag, number, whole

_MIB = 1024 * 1024
_GIB = 1024 * _MIB


class Bounds(Struct, frozen=True):
    """The limits of one processor; times are in seconds.

    Attributes:
        turns: how many turns may run at once; further prompts wait.
        prompts: how many prompts may wait, in all sessions together.
        turn_memory: bytes that the conversations and answers of all running turns may take.
        state_quota: bytes that the store may take on disk; 0: no limit.
        agent_return_s: after a restart, how long an unfinished turn waits until its external
            agent connects again.
        steps: how often one turn may call the model.
        tool_s: how long one tool call may take.
        ask_s: how long a person may take to answer a permission or question of a tool.
    """

    turns: int = 256
    prompts: int = 10_000
    turn_memory: int = 128 * _MIB
    state_quota: int = 16 * _GIB
    agent_return_s: float = 60.0
    steps: int = 100
    tool_s: float = 1800.0
    ask_s: float = 3600.0


_DEFAULT = Bounds()
MAX_TURNS = Flag(
    "max-turns",
    whole(1, 10_000),
    _DEFAULT.turns,
    "how many turns may run at once; further prompts wait",
)
MAX_PROMPTS = Flag(
    "max-prompts",
    whole(1, 1_000_000),
    _DEFAULT.prompts,
    "how many prompts may wait for their turn, in all sessions together; further ones get 429",
)
TURN_MEMORY = Flag(
    "turn-memory",
    whole(16, 1024 * 1024),
    _DEFAULT.turn_memory // _MIB,
    "how many MiB the conversations and answers of all running turns may use; further turns wait",
)
STATE_QUOTA = Flag(
    "state-quota",
    whole(0, 1024 * 1024 * 1024),
    _DEFAULT.state_quota // _MIB,
    "how many MiB the sessions may use on disk; then prompts get 507; 0: no limit",
)
AGENT_RETURN = Flag(
    "agent-return",
    number(0, 3600, "seconds"),
    _DEFAULT.agent_return_s,
    "after a restart of weir, how long a turn waits until its agent connects; then it fails",
)
MAX_STEPS = Flag(
    "max-steps",
    whole(1, 10_000),
    _DEFAULT.steps,
    "how often one turn may ask the model, which is asked again after each round of tool calls",
)
TOOL_TIMEOUT = Flag(
    "tool-timeout",
    number(1, 86_400, "seconds"),
    _DEFAULT.tool_s,
    "how long one call of a tool may take",
)
ASK_TIMEOUT = Flag(
    "ask-timeout",
    number(1, 86_400, "seconds"),
    _DEFAULT.ask_s,
    "how long a person may take to answer a permission or question of a tool",
)
BOUND_FLAGS = (
    *(MAX_TURNS, MAX_PROMPTS, TURN_MEMORY, STATE_QUOTA, AGENT_RETURN),
    *(MAX_STEPS, TOOL_TIMEOUT, ASK_TIMEOUT),
)


def bounds(values: Mapping[str, Any]) -> Bounds:
    """Return the limits; `values` has the values of all flags of the processor, by their keys."""
    return Bounds(
        turns=values[MAX_TURNS.key],
        prompts=values[MAX_PROMPTS.key],
        turn_memory=values[TURN_MEMORY.key] * _MIB,
        state_quota=values[STATE_QUOTA.key] * _MIB,
        agent_return_s=values[AGENT_RETURN.key],
        steps=values[MAX_STEPS.key],
        tool_s=values[TOOL_TIMEOUT.key],
        ask_s=values[ASK_TIMEOUT.key],
    )
