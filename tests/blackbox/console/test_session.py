"""One session in the console: prompted, shown and managed."""

from tests.blackbox.console.page import answer_in_page, answer_in_store, until_idle
from tests.blackbox.weir_up import prompt
from tests.chromium import watch_sizes

MOST_ELEMENTS = 10_000
NASTY = (
    "<script>window.harmed=1</script> <img src=x onerror=window.harmed=1> "
    "[a](javascript:window.harmed=1) [b](data:text/html,x) ![c](https://elsewhere.invalid/c.png)\n\n"
    "```\nnever closed\n\n| a |\n|-\n" + "> " * 300 + "[" * 3000 + "`" * 30 + "\n\n"
)


def test_a_prompt_streams_and_ends_as_rest_has_it_and_the_session_is_renamed_and_deleted(
    person, up
):
    tab = person.open()
    watch_sizes(tab, ".message.assistant .text .prose")
    tab.wait_for_selector("#try")
    tab.keyboard.press("i")
    tab.fill("#try", "tell me more of what can be " + "said " * 240)
    tab.press("#try", "Enter")
    tab.wait_for_selector(".message.assistant .text:not(.open)")
    until_idle(tab)
    assert len(tab.evaluate("sizes")) > 2
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
    turn.retry(1, "busy", 0.1)
    tab.wait_for_selector(".spans rect.fail")


def test_a_turn_is_aborted(person, up):
    session = up.session("/srv/console")
    tab = person.open(f"/weir/console/sessions/{session}")
    tab.fill(".composer textarea", "rate 20 2000")
    tab.press(".composer textarea", "Enter")
    tab.click("text=Abort")
    until_idle(tab)
    tab.wait_for_selector(".message .notice:has-text('Aborted')")


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
    assert tab.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS
