"""What the tests of ACP agents share: one opencode, one weir before it, one weir alone."""

import tempfile
from pathlib import Path

import pytest

from tests.acp import agents, install
from tests.blackbox.weir_up import weir_up
from tests.fakes.process import start_provider
from tests.npm import NotInstalled
from tests.opencode import conftest as of_opencode
from tests.opencode import home
from tests.opencode.api import Api
from tests.opencode.relay import weir_before
from tests.opencode.server import start_opencode

BEHIND, DIRECT, NATIVE = "behind weir", "at opencode", "weir alone"

installed = of_opencode.installed


@pytest.fixture(scope="package")
def provider():
    """The scripted provider of all tests here."""
    with start_provider() as running:
        yield running


@pytest.fixture(scope="session")
def typescript():
    """The TypeScript SDK, or skip the test."""
    try:
        return install.sdk()
    except NotInstalled as error:
        pytest.skip(f"the TypeScript SDK of ACP cannot be had: {error}")


@pytest.fixture(scope="session")
def acpx():
    """The program acpx, or skip the test."""
    try:
        return install.acpx()
    except NotInstalled as error:
        pytest.skip(f"acpx cannot be had: {error}")


@pytest.fixture(scope="package")
def opencode(installed, provider, tmp_path_factory):
    """An opencode that all tests here share."""
    installed()
    folder = tmp_path_factory.mktemp("opencode")
    env = home.thrifty(folder)
    with start_opencode(folder, provider.url, env=env, snapshots=False) as server:
        Api(server.url, str(server.projects[0])).warm_up()
        yield server


@pytest.fixture(scope="package")
def folder():
    """A folder whose path is short enough for Unix sockets below it."""
    with tempfile.TemporaryDirectory(prefix="weir-acp-", ignore_cleanup_errors=True) as made:
        yield Path(made)


@pytest.fixture(scope="package")
def relay(opencode, folder):
    """A weir in front of the opencode."""
    with weir_before(opencode, _made(folder / "relay")) as up:
        yield up


@pytest.fixture(scope="package")
def native(provider, folder):
    """A weir that runs the turns itself, with the scripted provider as its model."""
    model = ("--model-url", provider.url, "--model", "m1")
    with weir_up(_made(folder / "native"), *model) as up:
        yield up


@pytest.fixture(scope="package")
def agent(request, folder):
    """Return weir's agent at one of the servers; a server is started when it is first wanted."""

    def at(where):
        if where == NATIVE:
            url = request.getfixturevalue("native").url
            return agents.ours(where, url, _made(folder / "project"))
        opencode = request.getfixturevalue("opencode")
        url = request.getfixturevalue("relay").url if where == BEHIND else opencode.url
        return agents.ours(where, url, opencode.projects[0])

    return at


def _made(folder):
    folder.mkdir(exist_ok=True)
    return folder
