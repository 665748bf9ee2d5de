"""The ACP agents to measure: weir's at an opencode behind weir or alone, and opencode's own."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.acp import agents
from tests.acp.counting import Counting, counting
from tests.benchmarks.memory import PROVIDER
from tests.benchmarks.peers.agents import AgentServer, before, opencode
from tests.fakes.process import start_provider
from tests.opencode.install import OLD_VERSION, VERSION

OURS = {"weir's, behind weir": before, "weir's, at opencode": opencode}
THEIRS = {f"opencode {version}'s own": version for version in (VERSION, OLD_VERSION)}
NAMES = (*OURS, *THEIRS)


class AcpTarget(NamedTuple):
    """An agent that can be launched.

    Attributes:
        agent: how.
        proxy: what counts its requests; None where nothing is in between.
        servers: process ids of what it talks to; opencode's own agent is its own server.
    """

    agent: agents.Agent
    proxy: Counting | None
    servers: list[int]


@contextmanager
def acp_target(name: str, counted: bool) -> Iterator[AcpTarget]:
    """Start what an agent needs, afresh, and end it afterwards.

    Args:
        name: one of `NAMES`.
        counted: whether a proxy stands between the agent and its server.
    """
    with ExitStack() as stack:
        if name in THEIRS:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-bench-"))
            model = stack.enter_context(start_provider())
            proxy = stack.enter_context(counting()) if counted else None
            through = proxy and proxy.url
            agent = agents.theirs(Path(folder), model.url, THEIRS[name], through)
            yield AcpTarget(agent, proxy, [])
        else:
            peer = stack.enter_context(OURS[name](()))
            assert isinstance(peer.server, AgentServer)
            url, directory = peer.server.url, Path(peer.server.api.directory)
            proxy = stack.enter_context(counting(url)) if counted else None
            agent = agents.ours(name, url, directory, through=proxy and proxy.url)
            groups = (pids for group, pids in peer.groups.items() if group != PROVIDER)
            yield AcpTarget(agent, proxy, [pid for pids in groups for pid in pids])
