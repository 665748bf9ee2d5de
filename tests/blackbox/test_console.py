"""The console in a real browser, with weir as the server itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import weir
from tests.blackbox.weir_up import prompt, said, weir_up
from tests.chromium import chromium, heap_bytes, tasks_ms, visit
from tests.processes import wait_until
from tests.sse_client import SseClient

VIEWS = ("overview", "readers", "sources", "tail", "sessions")
LONGEST_TASK_MS = 100
MOST_ELEMENTS = 5000
GROWN_BYTES = 8 * 1024 * 1024
NASTY = (
    "<script>window.harmed=1</script> <img src=x onerror=window.harmed=1> "
    "[a](javascript:window.harmed=1) [b](data:text/html,x) ![c](https://elsewhere.invalid/c.png)\n\n"
    "```\nnever closed\n\n| a |\n|-\n" + "> " * 300 + "[" * 3000 + "`" * 30 + "\n\n"
)


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with weir_up(tmp_path_factory.mktemp("console"), "--workers", "2") as shared:
        yield shared


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def person(browser, up):
    with visit(browser, up.url, viewport={"width": 1280, "height": 900}) as visitor:
        yield visitor


def streams_of(up):
    rows = up.call("GET", "/weir/readers").body["readers"]
    return [row for row in rows if "Chrome" in row["client"]]


def until_live(tab):
    tab.wait_for_selector(".connection.on", state="attached")


def until_idle(tab):
    tab.wait_for_selector(".title-row .pill:has-text('idle')")


def answer_in_page(tab):
    """Return the text of the answer as the page shows it."""
    return tab.locator(".message.assistant .text .prose").last.inner_text()


def answer_in_store(up, session):
    return said(up.call("GET", f"/session/{session}/message").body[-1])


def test_every_view_loads_from_its_own_address_and_the_root_leads_to_the_first(person, up):
    tab = person.open("/")
    tab.wait_for_selector(".card .u-wrap canvas")
    assert tab.url == f"{up.url}/weir/console"
    for view in VIEWS:
        tab.goto(f"{up.url}/weir/console/{view}")
        tab.wait_for_selector(f"nav a[aria-current][href$='/{view}']")
        tab.wait_for_selector("h1")
    for key, view in enumerate(VIEWS, start=1):
        tab.keyboard.press(str(key))
        tab.wait_for_selector(f"nav a[aria-current][href$='/{view}']")
        assert tab.url == f"{up.url}/weir/console/{view}"
    assert not tab.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_a_prompt_streams_and_ends_as_rest_has_it_and_the_session_is_renamed_and_deleted(
    person, up
):
    tab = person.open()
    tab.fill("#try", "tell me more")
    tab.press("#try", "Enter")
    tab.wait_for_selector(".message.assistant .text.open")
    until_idle(tab)
    session = tab.url.rpartition("/")[2]
    shown = "\n\n".join(answer_in_page(tab).split("\n\n"))
    assert shown == answer_in_store(up, session).replace("`", "")
    tab.click("text=Rename")
    tab.fill(".title-row input", "another title")
    tab.press(".title-row input", "Enter")
    tab.wait_for_selector("h1:has-text('another title')")
    tab.wait_for_selector(".list b:has-text('another title')")
    tab.click("text=Delete")
    tab.click("text=Delete for good")
    tab.wait_for_url("**/sessions")
    assert up.call("GET", f"/session/{session}").status == 404


@pytest.fixture
def turn(up):
    """A turn of an agent, which can ask a person."""
    session = up.session("/srv/console")
    with weir.connect(up.url, name="asks") as agent, agent.session(session).turn("work") as turn:
        yield turn


def test_a_permission_is_given_in_a_panel_that_can_be_minimised(person, up, turn):
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(turn.ask, "bash", "rm -rf x", command="rm -rf x")
        tab = person.open("/weir/console")
        tab.wait_for_selector(".asked pre:has-text('rm -rf x')")
        tab.click(".asks header button")
        tab.wait_for_selector(".asked", state="detached")
        tab.click(".asks header button")
        tab.click("text=Always")
        assert asked.result(20) == "always"
        tab.wait_for_selector(".asks", state="detached")


def test_a_question_in_markdown_is_answered_from_the_options_and_with_own_words(person, turn):
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(turn.question, "**Where** to?", ("left", "right"), multiple=True)
        tab = person.open("/weir/console/readers")
        tab.wait_for_selector(".asked .prose strong:has-text('Where')")
        assert tab.locator(".asked button:has-text('Answer')").is_disabled()
        tab.click(".option:has-text('right')")
        tab.fill(".asked .own", "and straight on")
        tab.click(".asked button:has-text('Answer')")
        assert asked.result(20) == ["right", "and straight on"]


def test_tools_and_the_list_of_things_to_do_are_shown_as_they_come(person, turn):
    turn.todo([("dig a channel", "doing")])
    with turn.tool("bash", command="ls") as call:
        call.show(diff="-old line\n+new line")
        call.output("a.txt")
    turn.flush()
    tab = person.open(f"/weir/console/sessions/{turn.session.id}")
    tab.wait_for_selector(".todos li:has-text('dig a channel')")
    tab.click(".tool.completed summary")
    tab.wait_for_selector(".tool pre:has-text('a.txt')")
    assert tab.inner_text(".diff .added").strip() == "+new line"
    turn.todo([("dig a channel", "done"), ("set the gate", "todo")])
    turn.text("now")
    tab.wait_for_selector(".todos li:has-text('set the gate')")
    tab.wait_for_selector(".message.assistant .prose:has-text('now')")
    tab.wait_for_selector(".spans rect.run")


def test_a_turn_is_aborted(person, up):
    session = up.session("/srv/console")
    tab = person.open(f"/weir/console/sessions/{session}")
    tab.fill(".composer textarea", "rate 20 2000")
    tab.press(".composer textarea", "Enter")
    tab.click("text=Abort")
    until_idle(tab)
    tab.wait_for_selector(".message .notice:has-text('Aborted')")


def test_a_stream_that_is_cut_in_mid_text_goes_on_by_itself(person, up, turn):
    tab = person.open(f"/weir/console/sessions/{turn.session.id}")
    until_live(tab)
    turn.text("before the cut, ")
    turn.flush()
    tab.wait_for_selector(".message.assistant .text.open:has-text('before the cut')")
    [stream] = wait_until(lambda: streams_of(up), what="the page's stream")
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
    path = f"/weir/console/sessions/{session}"
    tabs = [person.open(path, until="commit") for _ in range(10)]
    for tab in tabs:
        until_live(tab)
    assert len(streams_of(up)) == 1
    tabs.pop(0).close()
    up.call("POST", f"/session/{session}/prompt_async", prompt("rate 40 40"))
    for tab in tabs:
        tab.wait_for_selector(".message.assistant .text")
        until_idle(tab)
    whole = answer_in_store(up, session).strip()
    for tab in tabs:
        wait_until(lambda tab=tab: answer_in_page(tab).strip() == whole, what="the whole text")
    assert len(streams_of(up)) == 1


def test_a_storm_leaves_the_page_responsive_and_takes_no_memory(person, up):
    tab = person.open("/weir/console")
    tab.wait_for_selector("text=Make a storm")
    before = heap_bytes(tab)
    session = up.session("/srv/console")
    tab.goto(f"{up.url}/weir/console/sessions/{session}")
    until_live(tab)
    with tasks_ms(tab) as tasks:
        up.call("POST", f"/session/{session}/prompt_async", prompt("storm 30000 40"))
        tab.wait_for_selector(".pages span:has-text('1.2M characters')")
        until_idle(tab)
    assert 0 < max(tasks) < LONGEST_TASK_MS
    assert tab.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS
    tab.goto(f"{up.url}/weir/console")
    tab.wait_for_selector("text=Make a storm")
    assert heap_bytes(tab) < before + GROWN_BYTES


def test_the_storm_of_the_first_run_is_told_of_in_figures(person, up):
    tab = person.open()
    tab.click("text=Make a storm")
    tab.wait_for_selector(".storm:has-text('were through')")
    assert "30k deltas" in tab.inner_text(".storm")


def test_a_message_with_scripts_and_five_megabytes_of_text_does_no_harm(person, up):
    session = up.session("/srv/console")
    text = NASTY + "y" * 5_000_000
    up.call("POST", f"/session/{session}/prompt_async", prompt(text))
    tab = person.open(f"/weir/console/sessions/{session}")
    tab.wait_for_selector(".message.user .pages")
    tab.locator(".message.user [aria-label='Next page']").first.click()
    tab.wait_for_selector(".message.user .pages span:has-text('Page 2 of')")
    tab.locator(".message.user [aria-label='Page before']").first.click()
    tab.wait_for_selector(".message.user .prose:has-text('window.harmed=1')")
    assert tab.evaluate("window.harmed") is None
    links = tab.eval_on_selector_all(".prose a[href], .prose img", "all => all.map(a => a.href)")
    assert all(link.startswith(("https://", "http://", "mailto:")) for link in links)
    assert tab.evaluate("document.querySelectorAll('*').length") < 2 * MOST_ELEMENTS


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
    with tab.expect_download() as saved:
        tab.click("text=Download .sse")
    saved.value.save_as(tmp_path / "tail.sse")
    blocks = (tmp_path / "tail.sse").read_bytes().split(b"\n\n")[:-1]
    assert all(block.startswith(b"id: ") and b"\ndata: {" in block for block in blocks)
    tab.keyboard.press("p")
    wait_until(lambda: tab.locator(".events li").count() == 2, what="two events")


def test_readers_are_listed_and_reset_from_the_page(person, up):
    with SseClient(f"{up.url}/global/event", {"User-Agent": "somebody/1.0"}) as stream:
        stream.next()
        tab = person.open("/weir/console/readers")
        row = tab.locator("tr", has_text="somebody/1.0").first
        row.locator("text=Reset").click()
        tab.wait_for_selector("tr:has-text('somebody/1.0') .tag.reset")
