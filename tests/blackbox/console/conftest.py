"""One weir and one browser for all tests of the console."""

import pytest

import weir
from tests.blackbox.console.page import WINDOW
from tests.blackbox.weir_up import weir_up
from tests.chromium import chromium, visit


@pytest.fixture(scope="package")
def up(tmp_path_factory):
    """Weir as the server itself, with one worker: its status is never a second old."""
    with weir_up(tmp_path_factory.mktemp("console"), "--workers", "1") as shared:
        yield shared


@pytest.fixture(scope="package")
def browser():
    """A headless Chromium."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def visitor(browser, up):
    """A person's browser, with a cache that all tests share."""
    with visit(browser, up.url, **WINDOW) as shared:
        yield shared


@pytest.fixture
def person(visitor):
    """The same, with no tab open before and after a test."""
    yield visitor
    visitor.leave()


@pytest.fixture
def turn(up):
    """A turn of an agent, which says what a test wants and can ask a person."""
    session = up.session("/srv/console")
    with weir.connect(up.url, name="asks") as agent, agent.session(session).turn("work") as turn:
        yield turn
