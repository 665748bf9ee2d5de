"""The console in a real browser, in front of a real opencode."""

import pytest

from tests.blackbox.weir_up import said
from tests.chromium import chromium, visit
from tests.fakes.tools import OPTIONS
from tests.opencode.api import Api


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def api(up, opencode):
    return Api(up.url, str(opencode.projects[0]))


@pytest.fixture(scope="module")
def visitor(browser, up):
    with visit(browser, up.url) as shared:
        yield shared


@pytest.fixture
def tab(visitor, api):
    """A tab that shows a new session."""
    yield visitor.open(f"/weir/console/sessions/{api.create()}")
    visitor.leave()


def ask(tab, text):
    tab.wait_for_selector(".connection.on", state="attached")
    tab.fill(".composer textarea", text)
    tab.press(".composer textarea", "Enter")


def until_idle(tab):
    tab.wait_for_selector(".title-row .pill:has-text('idle')")


def test_a_prompt_streams_and_ends_as_rest_has_it(tab, api, provider):
    ask(tab, "held 60")
    tab.wait_for_selector(".message.assistant .text.open")
    provider.release()
    until_idle(tab)
    messages = api.messages(tab.url.rpartition("/")[2])
    assert tab.locator(".message.assistant .prose").last.inner_text() == said(messages[-1]).strip()


def test_a_permission_and_a_question_are_answered_in_the_panel(tab):
    ask(tab, "tool bash ls then 3")
    tab.wait_for_selector(".asked pre:has-text('ls')")
    tab.click("text=Allow once")
    tab.wait_for_selector(".tool.completed")
    until_idle(tab)
    ask(tab, "question")
    tab.click(f".option:has-text('{OPTIONS[0]}')")
    tab.click(".asked button:has-text('Answer')")
    tab.wait_for_selector(".asks", state="detached")
    until_idle(tab)
    tab.locator(".tool summary").last.click()
    tab.wait_for_selector(f".tool pre:has-text('{OPTIONS[0]}')")


def test_every_view_shows_the_opencode_that_weir_is_in_front_of(tab, opencode):
    tab.wait_for_selector(".title-row .pill")
    tab.keyboard.press("1")
    tab.wait_for_selector(f".facts:has-text('in front of opencode {opencode.version}')")
    tab.wait_for_selector("tbody tr:has-text('Upstream')")
    assert tab.locator("#try").is_visible()
    assert not tab.locator("text=Make a storm").count()
    tab.keyboard.press("2")
    tab.wait_for_selector("tr:has-text('Chrome')")
    tab.keyboard.press("3")
    tab.wait_for_selector("dt:has-text('Frame age')")
    tab.wait_for_selector("dt:has-text('Healing')")
    tab.keyboard.press("4")
    tab.wait_for_selector(".events li")
    tab.keyboard.press("5")
    tab.wait_for_selector(".list li")
