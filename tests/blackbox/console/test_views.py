"""The views of the console, and what is done from them."""

from tests.sse_client import SseClient

VIEWS = ("overview", "readers", "sources", "tail", "sessions")


def test_every_view_loads_from_its_own_address_and_the_root_leads_to_the_first(person, up):
    tab = person.open("/")
    tab.wait_for_selector(".card .u-wrap canvas")
    assert tab.url == f"{up.url}/weir/console"
    for view in VIEWS[1:]:
        tab.goto(f"{up.url}/weir/console/{view}")
        tab.wait_for_selector(f"nav a[aria-current][href$='/{view}']")
        tab.wait_for_selector("h1")
    tab.set_viewport_size({"width": 390, "height": 844})
    for key, view in enumerate(VIEWS, start=1):
        tab.keyboard.press(str(key))
        tab.wait_for_selector(f"nav a[aria-current][href$='/{view}']")
        tab.wait_for_selector("h1")
        assert tab.url == f"{up.url}/weir/console/{view}"
        assert not tab.evaluate("document.documentElement.scrollWidth > innerWidth"), view


def test_the_storm_of_the_first_run_is_told_of_in_figures(person, up):
    tab = person.open()
    tab.click("text=Make a storm")
    tab.wait_for_selector(".storm:has-text('were through')")
    assert "30k deltas" in tab.inner_text(".storm")


def test_readers_are_listed_and_reset_from_the_page(person, up):
    with SseClient(f"{up.url}/global/event", {"User-Agent": "somebody/1.0"}) as stream:
        stream.next()
        tab = person.open("/weir/console/readers")
        row = tab.locator("tr", has_text="somebody/1.0").first
        row.locator("text=Reset").click()
        tab.wait_for_selector("tr:has-text('somebody/1.0') .tag.reset")
