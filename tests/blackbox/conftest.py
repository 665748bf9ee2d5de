"""What the black-box tests share: what they run, and what it talks to."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import npm
from tests.acp_editor import Editor, agent
from tests.blackbox.gateway_on_bus import GatewayOnBus, gateway_on_bus, temporary_folder
from tests.blackbox.native import HERE
from tests.blackbox.processor_driver import Processor, processor
from tests.blackbox.weir_up import Up, weir_up
from tests.fakes.agent_server import AgentServer, agent_server
from tests.fakes.process import Provider, start_provider
from tests.processes import ROOT

SDK = ROOT / "tests" / "sdk"


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket, which pytest's own may not be."""
    with temporary_folder() as folder:
        yield folder


@pytest.fixture
def gateway(short_folder: Path) -> Iterator[Callable[..., GatewayOnBus]]:
    """Start a gateway process of the test's own, with the given flags."""
    with ExitStack() as stack:
        yield lambda *flags, **how: stack.enter_context(
            gateway_on_bus(short_folder, *flags, **how)
        )


@pytest.fixture(scope="module")
def weir() -> Iterator[GatewayOnBus]:
    """A gateway process with one worker, shared by the tests of a module."""
    with temporary_folder() as folder, gateway_on_bus(folder) as shared:
        yield shared


@pytest.fixture(scope="session")
def node() -> str:
    """The node that runs `tests/sdk/prompt.mjs`, with the SDK installed beside that."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    try:
        npm.install(SDK, SDK / "node_modules" / "@opencode-ai" / "sdk" / "package.json")
    except npm.NotInstalled as error:
        pytest.skip(f"the SDK cannot be had: {error}")
    return node


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """The scripted model."""
    with start_provider() as running:
        yield running


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processor]:
    """A processor with the demo model."""
    with processor(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="module")
def up(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A deployment in front of it, shared by the tests of a module."""
    flags = ["--workers", "2", "--model-url", provider.url, "--model", "m1"]
    with weir_up(tmp_path_factory.mktemp("up"), *flags) as shared:
        yield shared


@pytest.fixture
def session(up: Up) -> str:
    """The id of a new session."""
    return up.session(HERE)


@pytest.fixture
def server() -> Iterator[AgentServer]:
    """A scripted server of sessions, for an agent to talk to."""
    with agent_server() as running:
        yield running


@pytest.fixture
def editor(server: AgentServer) -> Iterator[Editor]:
    """An editor whose agent talks to it."""
    with agent(server.url) as running:
        yield running
