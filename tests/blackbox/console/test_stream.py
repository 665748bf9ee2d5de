"""The one event stream of all tabs: cut, shared, handed on."""

from tests.blackbox.console.page import (
    answer_in_page,
    answer_in_store,
    opened,
    streams_of,
    until_idle,
    until_live,
    until_one_stream,
)
from tests.blackbox.weir_up import prompt
from tests.processes import wait_until


def test_a_stream_that_is_cut_in_mid_text_goes_on_by_itself(person, up, turn):
    tab = person.open(f"/weir/console/sessions/{turn.session.id}")
    until_live(tab)
    turn.text("before the cut, ")
    turn.flush()
    tab.wait_for_selector(".message.assistant .text.open:has-text('before the cut')")
    stream = until_one_stream(up)
    assert up.call("DELETE", f"/weir/readers/{stream['id']}").body is True
    turn.text("and after it")
    turn.flush()
    whole = "before the cut, and after it"
    wait_until(lambda: answer_in_page(tab).strip() == whole, what="the text")
    person.expect_cut()
    ended = up.call("GET", "/weir/readers").body["ended"]
    assert stream["id"] in [row["reader"]["id"] for row in ended if row["cause"] == "reset"]
    assert up.call("DELETE", f"/weir/readers/{stream['id']}").status == 404


def test_ten_tabs_hold_one_stream_and_another_takes_over_when_its_tab_is_closed(person, up):
    session = up.session("/srv/console")
    wait_until(lambda: not streams_of(up), what="no stream of a test before")
    before = opened(up)
    path = f"/weir/console/sessions/{session}"
    leader = person.open(path)
    until_live(leader)
    tabs = [person.open(path, until="commit") for _ in range(9)]
    for tab in tabs:
        until_live(tab)
    until_one_stream(up)
    leader.close()
    up.call("POST", f"/session/{session}/prompt_async", prompt("rate 40 10"))
    for tab in tabs:
        tab.wait_for_selector(".message.assistant .text")
        until_idle(tab)
    whole = answer_in_store(up, session).strip()
    for tab in tabs:
        wait_until(lambda tab=tab: answer_in_page(tab).strip() == whole, what="the whole text")
    until_one_stream(up)
    # That of each leader; a few more where the machine's network has changed meanwhile.
    assert opened(up) - before < len(tabs)
