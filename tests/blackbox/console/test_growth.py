"""A text that grows in the console, as fast as it may."""

from tests.blackbox.console.page import until_idle, until_live
from tests.blackbox.weir_up import prompt
from tests.chromium import heap_bytes, tasks_ms, watch_shifts
from tests.processes import at_best

LONGEST_TASK_MS = 100
MOST_ELEMENTS = 5000
GROWN_BYTES = 8 * 1024 * 1024
TEXT = """The gate **opens** at noon, and `the water` goes on below it, as far as it can be seen.

## What was found

1. a first thing, which is *longer* than a line of a narrow window can hold
2. a second thing

```python
for gate in gates:
    gate.open()
```

| gate | state |
|---|---|
| first | open |

> It was said before, and more than once.
"""


def test_a_storm_leaves_the_page_responsive_and_takes_no_memory(person, up):
    tab = person.open("/weir/console")
    tab.wait_for_selector("text=Make a storm")
    before = heap_bytes(tab)
    assert 0 < at_best(lambda: longest_task_ms(tab, up), LONGEST_TASK_MS) < LONGEST_TASK_MS
    assert tab.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS
    tab.goto(f"{up.url}/weir/console")
    tab.wait_for_selector("text=Make a storm")
    assert heap_bytes(tab) < before + GROWN_BYTES


def longest_task_ms(tab, up):
    """Return how long the page's thread is busy at a time while a storm grows in it."""
    session = up.session("/srv/console")
    tab.goto(f"{up.url}/weir/console/sessions/{session}")
    until_live(tab)
    with tasks_ms(tab) as tasks:
        up.call("POST", f"/session/{session}/prompt_async", prompt("storm 30000 40"))
        tab.wait_for_selector(".pages span:has-text('1.2M characters')")
        until_idle(tab)
    return max(tasks)


def test_nothing_moves_while_a_text_grows(person, turn):
    tab = person.open(f"/weir/console/sessions/{turn.session.id}")
    until_live(tab)
    for width in (390, 1280, 1600):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        watch_shifts(tab)
        with turn.tool("bash", command="ls") as call:
            call.output("a.txt")
        turn.reasoning("So it must be. ")
        for place, piece in enumerate(TEXT.split("\n\n")):
            tab.emulate_media(color_scheme=("light", "dark")[place % 2])
            mark = f"{width}-{place}"
            turn.text(piece + ("\n" if "```" in piece or "|" in piece else " "), mark, "\n\n")
            turn.flush()
            tab.wait_for_selector(f".message.assistant .text:has-text('{mark}')")
        assert "\n".join(tab.evaluate("shifts")) == ""


def test_nothing_moves_where_a_text_goes_on_to_another_page(person, turn):
    tab = person.open(f"/weir/console/sessions/{turn.session.id}")
    until_live(tab)
    watch_shifts(tab)
    for number in range(12):
        turn.text(f"{number}. " + "as the water goes on " * 290, f"mark{number}", "\n\n")
        turn.flush()
        tab.wait_for_selector(f".message.assistant .text:has-text('mark{number}')")
    tab.wait_for_selector(".pages span:has-text('Page 3 of 3')")
    assert "\n".join(tab.evaluate("shifts")) == ""
    shown = tab.inner_text(".message.assistant .text .prose")
    # The page before is whole, up to the character where this one begins.
    assert all(f"mark{number}" in shown for number in range(6, 12))
