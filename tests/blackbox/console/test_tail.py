"""The live tail: filtered, paused, saved, and served again."""

import json

from tests import recorded
from tests.blackbox.console.page import WINDOW, answer_in_page, save, until_live
from tests.blackbox.weir_up import said
from tests.chromium import visit
from tests.fakes.upstream import upstream
from tests.processes import wait_until


def test_the_tail_is_filtered_paused_and_saved_as_a_stream(person, up, tmp_path):
    session = up.session("/srv/console")
    tab = person.open("/weir/console/tail")
    until_live(tab)
    up.prompt(session, "hello")
    tab.fill("[data-search]", "session.idle")
    tab.get_by_label("Session").fill(session)
    tab.wait_for_selector(".events .type:has-text('session.idle')")
    wait_until(lambda: tab.locator(".events li").count() == 1, what="one event")
    tab.keyboard.press("Escape")
    tab.keyboard.press("p")
    up.prompt(session, "hello again")
    tab.wait_for_selector("button:has-text('new)')")
    assert tab.locator(".events li").count() == 1
    saved = save(tab, tmp_path / "tail.sse").split(b"\n\n")[:-1]
    assert all(block.startswith(b"id: ") and b"\ndata: {" in block for block in saved)
    tab.keyboard.press("p")
    wait_until(lambda: tab.locator(".events li").count() == 2, what="two events")


def test_what_is_saved_is_served_again_and_shown_as_it_was(person, browser, up, gateway, tmp_path):
    tab = person.open("/weir/console/tail")
    until_live(tab)
    session = up.session("/srv/console")
    tab.get_by_label("Session").fill(session)
    answer = said(up.prompt(session, "hello"))
    tab.wait_for_selector(".events .type:has-text('session.idle')")
    frames = recorded.frames_of(save(tab, tmp_path / "tail.sse"))
    saved = kept(json.loads(frame)["payload"]["type"] for frame in frames)
    assert saved.count("message.updated") > 1
    with upstream(missed=frames) as before:
        again = gateway("--upstream", before.url)
        with visit(browser, again.url, **WINDOW) as visitor:
            tab = visitor.open("/weir/console/tail")
            until_live(tab)
            again.source.publish_wrapped(map(json.loads, frames))
            tab.get_by_label("Session").fill(session)
            kinds = tab.locator(".events .type").all_inner_texts
            wait_until(lambda: kept(kinds()[::-1]) == saved, what="what was saved")
            tab.keyboard.press("Escape")
            tab.keyboard.press("5")
            tab.click(f".list a[href$='{session}']")
            tab.wait_for_selector(".message.assistant .text .prose")
            assert answer_in_page(tab).split() == answer.replace("`", "").split()


def kept(kinds):
    """Return the types of events that are never merged and never left out."""
    return [kind for kind in kinds if not kind.startswith("message.part.")]
