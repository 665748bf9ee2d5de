"""``python -m acp_client``: the ACP agent, as an editor launches it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from acp_client.agent import ACPAgent
from acp_client.feed import Feed
from acp_client.lines import Lines
from acp_client.outlet import Outlet
from acp_client.server import Server
from acp_client.settings import Settings, read
from bus import logs
from bus.flags import BadFlag, HelpAsked

_READ_BYTES = 64 * 1024


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the editor until it goes; return the exit status."""
    try:
        settings = read(sys.argv[1:] if argv is None else argv, os.environ)
    except HelpAsked as help_text:
        print(f"weir acp\n{help_text}")
        return 0
    except BadFlag as error:
        print(f"weir acp: {error}", file=sys.stderr)
        return 2
    return serve(settings)


def serve(settings: Settings) -> int:
    """Speak ACP on standard input and output."""
    logs.configure(settings.log_level)
    # Whatever prints must not end up between two messages.
    out = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, _stop)
    outlet = Outlet(out)
    server = Server(settings.server)
    agent = ACPAgent(server, Feed(settings.server), outlet, settings.directory)
    lines = Lines()
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
    sys.exit(main())
