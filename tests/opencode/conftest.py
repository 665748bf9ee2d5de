"""What the tests with a real opencode share."""

import pytest

from tests.blackbox import conftest as blackbox
from tests.fakes.process import start_provider
from tests.npm import NotInstalled
from tests.opencode.api import Api
from tests.opencode.install import VERSION, binary
from tests.opencode.relay import weir_before
from tests.opencode.server import start_opencode

node = blackbox.node


@pytest.fixture(scope="module")
def provider():
    """The scripted provider of a module."""
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


@pytest.fixture(scope="module")
def opencode(request, installed, provider, tmp_path_factory):
    """An opencode that the tests of a module share; of another version if they ask for it."""
    version = installed(getattr(request, "param", VERSION))
    with start_opencode(tmp_path_factory.mktemp("opencode"), provider.url, version) as server:
        for project in server.projects:
            Api(server.url, str(project)).warm_up()
        yield server


@pytest.fixture(scope="module")
def up(opencode, tmp_path_factory):
    """A weir in front of it."""
    with weir_before(opencode, tmp_path_factory.mktemp("weir")) as shared:
        yield shared
