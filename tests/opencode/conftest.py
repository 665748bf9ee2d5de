"""What the tests with a real opencode share."""

import pytest

from tests.blackbox import conftest as blackbox
from tests.blackbox.weir_up import weir_up
from tests.fakes.process import start_provider
from tests.npm import NotInstalled
from tests.opencode import home
from tests.opencode.api import Api
from tests.opencode.install import VERSION, binary
from tests.opencode.relay import warm_opencode, weir_before

node = blackbox.node


@pytest.fixture(scope="package")
def provider():
    """The scripted provider of all tests here."""
    with start_provider() as running:
        yield running


@pytest.fixture(scope="session")
def installed():
    """Return a version that is installed, or skip the test."""

    def version(wanted=VERSION):
        try:
            binary(wanted)
        except NotInstalled as error:
            pytest.skip(f"opencode {wanted} cannot be had: {error}")
        return wanted

    return version


@pytest.fixture(scope="package", params=[VERSION])
def opencode(request, installed, provider, tmp_path_factory):
    """An opencode that tests share; of another version if they ask for it."""
    version = installed(request.param)
    with warm_opencode(tmp_path_factory.mktemp("opencode"), provider.url, version) as server:
        yield server


@pytest.fixture(scope="package")
def up(opencode, tmp_path_factory):
    """A weir in front of it."""
    with weir_before(opencode, tmp_path_factory.mktemp("weir")) as shared:
        yield shared


@pytest.fixture(scope="package")
def alone(provider, tmp_path_factory):
    """A client of one folder, a git repository, of a weir without an opencode."""
    folder = tmp_path_factory.mktemp("alone")
    flags = ("--model-url", provider.url, "--model", "m1", "--workers", "1")
    with weir_up(folder, *flags) as server:
        yield Api(server.url, str(home.project(folder / "project")))
