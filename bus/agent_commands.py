"""The commands that a gateway sends to a processor for agents that run in processes of their own.

`bus.agent_lines` describes the lines and the work items that these commands carry.
"""

from __future__ import annotations

from msgspec import Struct

from bus.agent_lines import Line, RefusedLine


class AgentLines(Struct, tag=True):
    """Take lines of an agent. Body: `bus.agent_lines.Taken`.

    `epoch` None: the agent's current epoch. `seq`: the number of the first line; None: the next
    number. The agent counts as connected for `lease_s` from now on.
    """

    agent: str
    epoch: int | None
    seq: int | None
    lines: list[Line | RefusedLine]
    lease_s: float


class AgentWork(Struct, tag=True):
    """Wait for an agent's work items after number `after`. Body: `bus.agent_lines.Handed`.

    `epoch` None: the agent connects anew, and lines of its earlier epochs are refused from then
    on. `prompts`: the agent also answers prompts of clients; otherwise it only gets work items
    about turns that it has begun itself.
    """

    agent: str
    epoch: int | None
    after: int
    wait_ms: int
    lease_s: float
    prompts: bool = False


class AgentList(Struct, tag=True):
    """List the known agents. Body: [{name, connected, epoch, seq, turns}]."""
