"""The console of a weir that asks for a token."""

import json

import pytest

from gateway.access.principal import Action
from gateway.access.token_file import TokenFile
from tests.blackbox.console.page import WINDOW, until_live
from tests.blackbox.weir_up import weir_up
from tests.chromium import visit


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A weir with a token for everything."""
    folder = tmp_path_factory.mktemp("guarded")
    state = folder / "state"
    state.mkdir(mode=0o700)
    token, _ = TokenFile(state).add("person", Action.ADMIN, None)
    with weir_up(folder, "--workers", "1") as up:
        yield up, token


def test_the_page_asks_for_a_token_and_goes_on_with_a_cookie(guarded, browser):
    up, token = guarded
    with visit(browser, up.url, **WINDOW) as person:
        tab = person.open(until="domcontentloaded")
        tab.wait_for_selector("dialog.login")
        tab.fill("#login-token", "weir_wrong")
        tab.click("dialog.login button")
        tab.wait_for_selector("dialog.login [role=alert]")
        tab.fill("#login-token", token)
        tab.click("dialog.login button")
        until_live(tab)
        assert tab.locator("dialog.login").count() == 0
        assert tab.evaluate("document.cookie") == ""
        said = tab.evaluate("fetch('/weir/login').then((answer) => answer.text())")
        assert json.loads(said)["name"] == "person"
        assert token not in str(tab.evaluate("JSON.stringify({...localStorage})"))
        refused = [fault for fault in person.faults if "status of 401" in fault]
        assert refused
        person.faults = [fault for fault in person.faults if fault not in refused]
