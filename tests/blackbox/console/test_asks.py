"""What waits for a person is answered in the console."""

from concurrent.futures import ThreadPoolExecutor

from tests.processes import DEADLINE_S

IN_SIGHT = """() => {
  const place = (selector) => document.querySelector(selector).getBoundingClientRect();
  const send = place(".composer button");
  const top = document.elementFromPoint(send.x + send.width / 2, send.y + send.height / 2);
  const beside = innerWidth < 1281 || place(".asks").left >= place(".session").right;
  return beside && top.closest(".composer button") !== null;
}"""


def test_a_permission_is_given_in_a_panel_that_can_be_minimised(person, up, turn):
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(
            turn.ask, "bash", "rm -rf x", command="rm -rf x", timeout_s=DEADLINE_S
        )
        tab = person.open(f"/weir/console/sessions/{turn.session.id}")
        tab.wait_for_selector(".asked pre:has-text('rm -rf x')")
        tab.wait_for_selector(".composer button")
        for width in (390, 1600, 1280):
            tab.set_viewport_size({"width": width, "height": 900})
            assert tab.evaluate(IN_SIGHT), width
        tab.click(".asks header button")
        tab.wait_for_selector(".asked", state="detached")
        tab.click(".asks header button")
        tab.wait_for_selector(".asked button:has-text('Always')")
        tab.keyboard.press("a")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        assert asked.result(DEADLINE_S) == "always"
        tab.wait_for_selector(".asks", state="detached")


def test_a_question_in_markdown_is_answered_from_the_options_and_with_own_words(person, turn):
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(
            turn.question, "**Where** to?", ("left", "right"), multiple=True, timeout_s=DEADLINE_S
        )
        tab = person.open("/weir/console/readers")
        tab.wait_for_selector(".asked .prose strong:has-text('Where')")
        assert tab.locator(".asked button:has-text('Answer')").is_disabled()
        tab.click(".option:has-text('right')")
        tab.fill(".asked .own", "and straight on")
        tab.click(".asked button:has-text('Answer')")
        assert asked.result(DEADLINE_S) == ["right", "and straight on"]
