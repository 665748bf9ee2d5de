"""The console at a server, or over a network, that fails the first request to each URL."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.blackbox.console.page import WINDOW, until_live
from tests.chromium import visit
from tests.processes import DEADLINE_S, wait_until


@pytest.fixture(params=[0, 503], ids=["cut", "busy"])
def unlucky(browser, up, request):
    """A person's browser, each of whose requests fails once."""
    with visit(browser, up.url, **WINDOW) as person, person.failing_once(request.param):
        yield person


def test_a_session_is_shown_with_all_that_belongs_to_it(unlucky, up, turn):
    turn.todo([("dig a channel", "doing")])
    turn.flush()
    said = {"noReply": True, "parts": [{"type": "text", "text": "said before"}]}
    assert up.call("POST", f"/session/{turn.session.id}/message", said).status == 200
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(turn.ask, "bash", "rm -rf x", timeout_s=DEADLINE_S)
        wait_until(lambda: up.call("GET", "/permission?directory=/srv/console").body)
        tab = unlucky.open(f"/weir/console/sessions/{turn.session.id}")
        tab.wait_for_selector(".message:has-text('said before')")
        tab.wait_for_selector(".todos li:has-text('dig a channel')")
        tab.wait_for_selector(f".list a[href$='{turn.session.id}']")
        until_live(tab)
        tab.click(".asked button:has-text('Allow once')")
        # What changes something is not sent again by itself.
        tab.wait_for_selector(".asked [role=alert]")
        tab.click(".asked button:has-text('Allow once')")
        assert asked.result(DEADLINE_S) == "once"


@pytest.mark.parametrize("unlucky", [503], indirect=True, ids=["busy"])
def test_the_overview_is_drawn_also_while_the_browser_paints_nothing(unlucky):
    unlucky.paint_nothing()
    tab = unlucky.open()
    tab.wait_for_selector(".pill.good")
    tab.wait_for_selector("text=Make a storm")
    tab.wait_for_selector(".card .u-wrap canvas")
