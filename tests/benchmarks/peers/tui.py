"""How long the terminal of opencode takes to show the end of an answer.

The end is that the line below the answer says how long the turn took. The last delta of a burst
never comes into view: of a paragraph the terminal shows the first 64 KiB alone.
"""

import re
import time

from tests.benchmarks.peers.agents import AgentServer
from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.peers.work import Work
from tests.opencode import terminal
from tests.opencode.install import VERSION
from tests.processes import wait_until

GIVEN_UP_S = 120.0
_END = re.compile(r"▣ .* · \d[\d.hms ]*s\b")


def shown(peer: Peer, work: Work) -> float:
    """Return the seconds from a prompt until a terminal that is attached shows its end.

    It is `GIVEN_UP_S` where the terminal does not show it within that time.

    Raises:
        RuntimeError: there is no tmux to run the terminal in, or no opencode to talk to.
    """
    if not terminal.is_there():
        raise RuntimeError("tmux is not installed")
    if not isinstance(peer.server, AgentServer):
        raise RuntimeError("the terminal needs an opencode behind the server")
    api, session = peer.server.api, peer.server.session()
    flags = ("--session", session)
    with terminal.attached(api.url, api.directory, VERSION, *flags, ready="M1") as screen:
        begun = time.monotonic()
        api.prompt(session, work.script)
        try:
            wait_until(lambda: _END.search(screen.screen()), GIVEN_UP_S)
        except TimeoutError:
            return GIVEN_UP_S
        return time.monotonic() - begun
