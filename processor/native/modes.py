"""weir's own agents: their permissions, and their instructions for the model."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from bus.agent_lines import BUILT_IN
from processor.native.permissions import DEFAULT, PermissionRule, Rules

PLAN, GENERAL = "plan", "general"
_PLAN_WORDS = (
    "You are in plan mode. Do not change files and do not run commands: look, think, ask, and "
    "describe a plan. The tools that change something are refused until the user leaves the mode."
)


class AgentMode(Struct, frozen=True):
    """One of weir's own agents (build, plan, general).

    Attributes:
        name: the name of the agent in prompts.
        description: what the agent does; shown to people, and to a model that gives tasks.
        kind: ``primary``: a person can choose the agent; ``subagent``: only the tool ``task`` can.
        rules: the permissions of the agent's tool calls.
        final: permission rules that no session and no prompt can change.
        words: text to add to the model's instructions; empty: nothing.
    """

    name: str
    description: str
    kind: Literal["primary", "subagent"]
    rules: Rules
    words: str = ""
    final: Rules = ()


Modes = Mapping[str, AgentMode]


def built_in(config: Rules = (), of_agents: Mapping[str, Rules] | None = None) -> Modes:
    """Return weir's own agents by name, the default agent first.

    Args:
        config: the user's permission rules for all agents.
        of_agents: the user's further permission rules for single agents, by the agent's name.
    """
    own = of_agents or {}
    modes = (
        AgentMode(
            BUILT_IN,
            "The default agent. It runs the tools that the permissions allow.",
            "primary",
            (*DEFAULT, *config, *own.get(BUILT_IN, ())),
        ),
        AgentMode(
            PLAN,
            "Plan mode. It changes no files and runs no commands.",
            "primary",
            # The last rule that matches counts. So the user's rules for all agents cannot allow
            # plan mode to edit files or run commands; the user's rules for `plan` can.
            (*DEFAULT, *config, *_denied("edit", "bash"), *own.get(PLAN, ())),
            _PLAN_WORDS,
        ),
        AgentMode(
            GENERAL,
            "An agent for one part of the work, which has a session of its own.",
            "subagent",
            (
                *(*DEFAULT, *config, *_denied("todowrite", "question"), *own.get(GENERAL, ())),
                *_denied("task"),
            ),
            # A child session must not start further ones: one prompt could start endless turns.
            final=_denied("task"),
        ),
    )
    return {mode.name: mode for mode in modes}


def instructions(mode: AgentMode, directory: str) -> str:
    """Return the system text that a model with tools reads before the conversation."""
    today = datetime.date.today().isoformat()
    words = (
        "You are a coding agent. You answer the user, and use the tools where they help.\n"
        f"Working directory: {directory}\nPlatform: {sys.platform}\nDate: {today}"
    )
    return f"{words}\n\n{mode.words}" if mode.words else words


def _denied(*permissions: str) -> list[PermissionRule]:
    return [PermissionRule(name, "*", "deny") for name in permissions]
