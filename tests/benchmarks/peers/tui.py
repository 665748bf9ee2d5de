"""How long the terminal of opencode takes to show the end of an answer."""

import time

from tests.benchmarks.peers.agents import AgentServer
from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.peers.work import Work
from tests.opencode import terminal
from tests.opencode.install import VERSION

GIVEN_UP_S = 120.0


def shown(peer: Peer, work: Work) -> float:
    """Return the seconds from a prompt until a terminal that is attached shows the last delta.

    It is `GIVEN_UP_S` where the terminal does not show it within that time.

    Raises:
        RuntimeError: there is no tmux to run the terminal in, or no opencode to talk to.
    """
    if not terminal.is_there():
        raise RuntimeError("tmux is not installed")
    if not isinstance(peer.server, AgentServer):
        raise RuntimeError("the terminal needs an opencode behind the server")
    api, session = peer.server.api, peer.server.session()
    *_, deltas, _size = work.script.split()
    flags = ("--session", session)
    with terminal.attached(api.url, api.directory, VERSION, *flags, ready="M1") as screen:
        begun = time.monotonic()
        api.prompt(session, work.script)
        try:
            screen.shows(f"{int(deltas) - 1:07d}|", deadline_s=GIVEN_UP_S)
        except AssertionError:
            return GIVEN_UP_S
        return time.monotonic() - begun
