"""A real opencode to measure, alone or behind weir."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.benchmarks import process_tree
from tests.benchmarks.child import child
from tests.benchmarks.memory import PROVIDER
from tests.fakes.process import start_provider
from tests.opencode.api import Api
from tests.opencode.server import start_opencode

ALONE = "opencode alone"
BEHIND = "behind weir"
OPENCODE = "opencode"
WEIR = "weir"
_READY = "weir is ready: "
_DEADLINE_S = 60.0


class Target:
    """What clients talk to.

    Attributes:
        api: a client of it.
        groups: process ids by name.
    """

    def __init__(self, api: Api, groups: dict[str, list[int]]) -> None:
        self.api = api
        self.groups = groups

    @property
    def url(self) -> str:
        """Where clients ask."""
        return self.api.url

    @property
    def streams(self) -> list[str]:
        """The one stream that readers follow.

        It is not ``/global/event``: opencode loses what happens just after its first word there.
        """
        return [f"/event?directory={quote(self.api.directory)}"]

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
def target(name: str, version: str) -> Iterator[Target]:
    """Run a fresh opencode, for `BEHIND` with a weir before it, and end both afterwards."""
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder, ExitStack() as stack:
        model = stack.enter_context(start_provider())
        server = stack.enter_context(start_opencode(Path(folder), model.url, version))
        groups = {OPENCODE: [server.pid], PROVIDER: [model.pid]}
        url = server.url
        if name == BEHIND:
            url, groups[WEIR] = stack.enter_context(_weir(Path(folder), server.url))
        api = Api(url, str(server.projects[0]))
        api.warm_up()
        yield Target(api, groups)


@contextmanager
def _weir(folder: Path, upstream: str) -> Iterator[tuple[str, list[int]]]:
    """Run ``weir up`` as a relay; give its address and its process ids."""
    command = ["-m", "deploy.cli", "up", "--port", "0", "--state", str(folder / "weir")]
    log = folder / "weir.log"
    with log.open("wb") as stderr, child(*command, "--upstream", upstream, stderr=stderr) as up:
        try:
            url = up.line(_DEADLINE_S).removeprefix(_READY).strip()
        except (EOFError, TimeoutError) as error:
            raise RuntimeError(f"weir did not start: {log.read_text()}") from error
        yield url, [up.pid, *(process.pid for process in process_tree.below(up.pid))]
