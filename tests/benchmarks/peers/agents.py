"""weir and opencode: servers of sessions, with the scripted model behind them."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.memory import PROVIDER
from tests.benchmarks.peers.peer import Missing, Peer
from tests.benchmarks.weir_up import Weir, weir_before, weir_up
from tests.fakes.process import start_provider
from tests.npm import NotInstalled
from tests.opencode.api import Api
from tests.opencode.install import VERSION
from tests.opencode.server import start_opencode

GLOBAL = "/global/event"
OPENCODE = "opencode"
_WARM_UP = "storm 500 40"
_SETTLE_S = 1.0
_HEALTH, _LIST = {"health": "/global/health"}, {"list": "/session"}


class AgentServer:
    """An opencode, or what stands before an opencode, as `Server` has it.

    Attributes:
        api: a client.
    """

    def __init__(self, api: Api) -> None:
        self.api = api

    @property
    def url(self) -> str:
        """Where clients ask."""
        return self.api.url

    @property
    def streams(self) -> list[str]:
        """The one stream that the readers of a storm follow.

        It is not ``/global/event``: opencode loses what happens just after its first word there.
        """
        return [f"/event?directory={self.api.directory}"]

    def session(self) -> str:
        """Make a session, and return its id."""
        return self.api.create()

    def prompt(self, session: str, text: str) -> None:
        """Prompt a session, and return as soon as the prompt is taken."""
        self.api.prompt(session, text)

    def messages(self, session: str) -> list[dict[str, Any]]:
        """Return the messages of a session."""
        return self.api.messages(session)


@contextmanager
def native(flags: Sequence[str], path: Path | None = None) -> Iterator[Peer]:
    """Run weir as the server itself; `path` is a checkout of another commit to run."""
    with weir_up(*flags, path=path) as weir:
        _warm_up(weir)
        # Deltas are merged; the closing snapshot holds the text once more.
        yield Peer(weir, GLOBAL, weir.streams, weir.groups, _HEALTH, framing=2)


@contextmanager
def opencode(flags: Sequence[str] = (), version: str = VERSION) -> Iterator[Peer]:
    """Run an opencode."""
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder, ExitStack() as stack:
        model = stack.enter_context(start_provider())
        try:
            server = stack.enter_context(start_opencode(Path(folder), model.url, version))
        except NotInstalled as error:
            raise Missing(str(error)) from error
        agent = AgentServer(Api(server.url, str(server.projects[0])))
        agent.api.warm_up()
        _warm_up(agent)
        groups = {OPENCODE: [server.pid], PROVIDER: [model.pid]}
        yield Peer(agent, GLOBAL, agent.streams, groups, _HEALTH | _LIST)


@contextmanager
def before(flags: Sequence[str], version: str = VERSION) -> Iterator[Peer]:
    """Run weir in front of an opencode."""
    with opencode((), version) as behind:
        [pid] = behind.groups[OPENCODE]
        with weir_before(behind.server.url, pid, *flags) as weir:
            assert isinstance(behind.server, AgentServer)
            agent = AgentServer(Api(weir.url, behind.server.api.directory))
            _warm_up(agent)
            groups = {name: pids for name, pids in weir.groups.items() if name != PROVIDER}
            yield Peer(agent, GLOBAL, agent.streams, behind.groups | groups, _HEALTH | _LIST)


def _warm_up(server: Weir | AgentServer) -> None:
    session = server.session()
    server.prompt(session, _WARM_UP)
    end = time.monotonic() + 60
    while not _is_answered(server.messages(session)):
        if time.monotonic() > end:
            raise TimeoutError("the first prompt has no answer")
        time.sleep(0.1)
    time.sleep(_SETTLE_S)


def _is_answered(messages: list[dict[str, Any]]) -> bool:
    return len(messages) > 1 and "completed" in messages[-1]["info"]["time"]
