"""The console of a weir that asks for a token."""

import io
import json

import pytest

from deploy import share
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
        up.patiently("GET", "/path", headers={"Authorization": f"Bearer {token}"})
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


def test_a_share_link_shows_one_session_as_it_grows_and_no_more_once_it_is_revoked(
    guarded, browser
):
    up, token = guarded
    login = {"headers": {"Authorization": f"Bearer {token}"}}
    shown, hidden = (
        up.patiently("POST", "/session", {"title": title}, **login).body["id"]
        for title in ("to be seen", "not to be seen")
    )
    link = weir_share(up, token, shown).strip()
    assert hidden not in link
    with visit(browser, "", **WINDOW) as guest:
        tab = guest.open(link, until="domcontentloaded")
        tab.wait_for_selector("h1:has-text('to be seen')")
        until_live(tab)
        assert "token" not in tab.url
        assert tab.locator("textarea, .title-row button, .list .head button").count() == 0
        said = {"noReply": True, "parts": [{"type": "text", "text": "seen at once"}]}
        assert up.call("POST", f"/session/{shown}/message", said, **login).status == 200
        tab.wait_for_selector(".message:has-text('seen at once')")
        assert tab.locator("text=not to be seen").count() == 0
        assert tab.locator("[role=alert]").count() == 0
        # The page asks who reads it before it takes the link.
        assert [fault for fault in guest.faults if "status of 401" not in fault] == []
        guest.faults = []
        assert "revoked" in weir_share(up, token, "revoke", shown)
        tab.wait_for_selector("dialog.login")
        tab.close()
        guest.faults = []
    with visit(browser, "", **WINDOW) as guest:
        tab = guest.open(link, until="domcontentloaded")
        tab.wait_for_selector("dialog.login [role=alert]:has-text('not valid any more')")
        tab.close()
        guest.faults = []


def test_a_page_of_which_each_request_fails_once_asks_for_a_login_or_takes_its_link(
    guarded, browser
):
    up, token = guarded
    login = {"headers": {"Authorization": f"Bearer {token}"}}
    shown = up.patiently("POST", "/session", {"title": "to be seen"}, **login).body["id"]
    with visit(browser, up.url, **WINDOW) as person, person.failing_once(0):
        tab = person.open(until="domcontentloaded")
        tab.wait_for_selector("dialog.login")
    with visit(browser, "", **WINDOW) as guest, guest.failing_once(503):
        tab = guest.open(weir_share(up, token, shown).strip(), until="domcontentloaded")
        tab.wait_for_selector("h1:has-text('to be seen')")
        assert tab.locator("nav a[href$='/overview']").count() == 0


def weir_share(up, token: str, *words: str) -> str:
    out = io.StringIO()
    options = share.read([*words, "--url", up.url], {"WEIR_TOKEN": token})
    assert share.run(options, out) == 0
    return out.getvalue()
