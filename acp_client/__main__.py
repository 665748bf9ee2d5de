"""``python -m acp_client``, which is the same as `weir acp`: an editor starts this process."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # With `-m`, Python imports modules from the current folder first. That is the user's project:
    # its code must not run, so the folder is removed from the path.
    try:  # noqa: SIM105
        sys.path.remove(os.getcwd())
    except (OSError, ValueError):
        pass
    # If weir is not installed, but started from its repository, the repository is the current
    # folder. So the folder of weir's code is added again, at the end of the path.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import signal
from collections.abc import Sequence
from types import FrameType

from acp_client.agent import ACPAgent
from acp_client.api.feed import EventFeed
from acp_client.api.server import Server
from acp_client.editor.outlet import EditorOutlet
from acp_client.protocol.lines import ByteLines
from acp_client.settings import AgentSettings, read
from bus.process import entry, logs

_READ_BYTES = 64 * 1024


def main(argv: Sequence[str]) -> int:
    """Serve the editor until it closes standard input; return the exit status."""
    return serve(read(argv, os.environ))


def serve(settings: AgentSettings) -> int:
    """Speak ACP on standard input and output until the editor closes them; return 0."""
    logs.configure(settings.log_level)
    # Only ACP messages may be written to the editor. So the file descriptor 1 becomes standard
    # error, for any library that prints, and the messages go to a copy of standard output.
    out = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, _stop)
    outlet = EditorOutlet(out)
    server = Server(settings.server)
    agent = ACPAgent(server, EventFeed(settings.server), outlet, settings.directory)
    lines = ByteLines()
    try:
        while not outlet.broken.is_set() and (data := os.read(0, _READ_BYTES)):
            for line in lines.feed(data):
                agent.peer.take(line)
        for line in lines.end():
            agent.peer.take(line)
    except KeyboardInterrupt:
        pass
    agent.end()
    return 0


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(entry.run("weir acp", main, sys.argv[1:]))
